// Who looks at this page, and what they may. The server asks again at each call; here it is only said early.
//
//     <button v-bind="needs('operator', !chosen.length)" @click="acknowledge">
//
// is disabled for a viewer, and says which role it needs; otherwise when nothing is chosen.
import { reactive } from "vue";

const ROLES = ["viewer", "operator", "engineer", "admin"];

export const caller = reactive({ name: "", role: "viewer", isLocal: false, isGuest: false, isUser: false });

export function meet(known) {
  Object.assign(caller, known);
}

export const may = (role) => ROLES.indexOf(caller.role) >= ROLES.indexOf(role);

export const lacks = (role) => (may(role) ? "" : `Needs the role ${role}; you are ${caller.role}.`);

// Attributes of a control. `title` is what it says of itself to those who may.
export function needs(role, isDisabled = false, title = undefined) {
  return may(role) ? { disabled: Boolean(isDisabled), title } : { disabled: true, title: lacks(role) };
}

// Where the login is, and back to here after it.
export function goToLogin() {
  const here = window.location.pathname + window.location.search;
  window.location.assign(`/login?${new URLSearchParams({ next: here })}`);
}
