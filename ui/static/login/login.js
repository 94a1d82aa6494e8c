// The login page. Without this the form works all the same.
import { form } from "./door.js";

form.addEventListener("submit", () => (form.querySelector("button").disabled = true)); // once is enough
window.addEventListener("pageshow", () => (form.querySelector("button").disabled = false));

// Who comes by a link of another site, such as a mail, comes without the cookie the first time.
if (form.querySelector(".no").hidden) {
  fetch(window.location.href, { redirect: "manual" }).then((answer) => {
    if (answer.type === "opaqueredirect") window.location.replace(form.elements.next.value);
  });
}
