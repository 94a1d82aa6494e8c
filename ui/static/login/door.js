// What the pages without the frame share: their theme, and whether caps lock is on.
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

export const form = document.querySelector(".door");
const caps = form.querySelector(".caps");
for (const name of ["keydown", "keyup"]) {
  form.addEventListener(name, (event) => {
    if (event.target.type === "password") caps.hidden = !event.getModifierState?.("CapsLock");
  });
}
