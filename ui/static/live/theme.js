// The theme: the system's, or the user's choice, kept in this browser. `?theme=light` shows one once.
import { reactive } from "vue";

const KEY = "yieldline.theme";
const CHOICES = ["system", "dark", "light"];
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage may be forbidden
  }
}

const asked = new URLSearchParams(window.location.search).get("theme");
const first = [asked, kept()].find((choice) => CHOICES.includes(choice)) ?? "system";
export const theme = reactive({ choice: first, name: "dark" }); // name: what is shown, dark or light

function show() {
  const name = theme.choice === "system" ? (dark.matches ? "dark" : "light") : theme.choice;
  document.documentElement.dataset.theme = name;
  theme.name = name;
}

export function nextTheme() {
  theme.choice = CHOICES[(CHOICES.indexOf(theme.choice) + 1) % CHOICES.length];
  try {
    localStorage.setItem(KEY, theme.choice);
  } catch {
    // then it holds for this page only
  }
  show();
}

dark.addEventListener("change", show);
show();
