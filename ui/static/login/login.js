// The login page: its theme, and whether caps lock is on. Without this the form works all the same.
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function keptTheme() {
  try {
    return localStorage.getItem("yieldline.theme");
  } catch {
    return null; // storage may be forbidden
  }
}

function showTheme() {
  const asked = new URLSearchParams(window.location.search).get("theme") ?? keptTheme();
  const system = dark.matches ? "dark" : "light";
  document.documentElement.dataset.theme = ["dark", "light"].includes(asked) ? asked : system;
}

dark.addEventListener("change", showTheme);
showTheme();

const form = document.querySelector(".door");
const caps = form.querySelector(".caps");
for (const name of ["keydown", "keyup"]) {
  form.elements.password.addEventListener(name, (event) => (caps.hidden = !event.getModifierState?.("CapsLock")));
}
form.addEventListener("submit", () => (form.querySelector("button").disabled = true)); // once is enough
window.addEventListener("pageshow", () => (form.querySelector("button").disabled = false));

// Who comes by a link of another site, such as a mail, comes without the cookie the first time.
if (form.querySelector(".no").hidden) {
  fetch(window.location.href, { redirect: "manual" }).then((answer) => {
    if (answer.type === "opaqueredirect") window.location.replace(form.elements.next.value);
  });
}
