// The page where one's own password is changed.
import { form } from "./door.js";

const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
const no = form.querySelector(".no");
const fields = form.querySelector("fieldset");
const { old, fresh, again } = form.elements;

const sentence = (text) => text[0].toUpperCase() + text.slice(1);

function refuse(said, field) {
  no.querySelector("span").textContent = sentence(said);
  no.hidden = false;
  fields.disabled = false;
  field.focus();
  field.select();
}

function agree() {
  fields.hidden = true;
  form.querySelector(".yes").textContent = "Your password is changed, and all other logins of yours are over.";
  form.querySelector(".back").textContent = "Go on";
  form.querySelector(".back").focus();
}

async function send() {
  const body = JSON.stringify({ old_password: old.value, new_password: fresh.value });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/api/v1/me/password", { method: "POST", headers, body });
  if (answer.ok) return agree();
  if (answer.status === UNAUTHORIZED) return window.location.reload(); // the login comes first
  const said = await answer.json().catch(() => ({}));
  refuse(said.detail ?? `The server answered ${answer.status}. Try again.`, answer.status === FORBIDDEN ? old : fresh);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  no.hidden = true;
  if (fresh.value !== again.value) return refuse("The two new passwords differ. Type the same one twice.", again);
  fields.disabled = true; // once is enough
  try {
    await send();
  } catch {
    refuse("The server does not answer. Look whether it runs, then try again.", old);
  }
});
