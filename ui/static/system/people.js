// Who may come in: users and tokens, for admins. A token is shown once, in the moment it is made.
import { call, caller, clock, copyText, Failed, Icon, needs, Panel, Popover, question, Sheet, Shapes, Trouble, when } from "yieldline";

const ROLES = ["viewer", "operator", "engineer", "admin"];
const SCOPES = [...ROLES, "ingest", "wall"];
const DAYS = 90;
const PASSWORD_CHARS_MIN = 12;
const day = (text) => (text ? when(Date.parse(text) / 1000, clock.second) : "never");

// A button that asks once more before it does something.
const Ask = {
  components: { Popover },
  props: { word: String, title: String, said: String },
  emits: ["yes"],
  template: `<Popover look="btn tiny" :label="title"><template #button>{{ word }}</template><template #default="{ close }"><h3>{{ title }}?</h3><p>{{ said }}</p><p class="acts"><button class="btn" type="button" @click="close(); $emit('yes')">{{ word }}</button><button class="btn" type="button" @click="close">Cancel</button></p></template></Popover>`,
};

const NewPassword = {
  components: { Popover },
  props: { name: String },
  emits: ["said"],
  template: `<Popover look="btn tiny" :label="'New password for ' + name"><template #button>Password…</template><template #default="{ close }"><form class="newpass" @submit.prevent="close(); $emit('said', password)"><h3>New password for {{ name }}</h3><p class="t3">All logins of {{ name }} end.</p><input v-model="password" class="field" type="password" required :minlength="min" maxlength="256" autocomplete="new-password" :aria-label="'New password, at least ' + min + ' characters'"><p class="acts"><button class="btn">Set</button><button class="btn" type="button" @click="close">Cancel</button></p></form></template></Popover>`,
  data: () => ({ password: "", min: PASSWORD_CHARS_MIN }),
};

const Book = {
  components: { Ask, Failed, Icon, NewPassword, Shapes, Sheet },
  emits: ["close"],
  template: `
<Sheet title="Users and tokens" class="people" @close="$emit('close')">
  <p v-if="trouble" class="c-fail" role="alert">{{ trouble }}</p>
  <h3>Users</h3>
  <Failed v-if="users.error" :words="users.error" @again="users.ask()"/><Shapes v-else-if="!users.data"/>
  <table v-else class="grid"><thead><tr><th>Name</th><th>Role</th><th>Since</th><th></th></tr></thead><tbody>
    <tr v-for="user in living" :key="user.name"><td class="id">{{ user.name }}</td><td><select class="field" :value="user.role" :aria-label="'Role of ' + user.name" @change="setRole(user, $event.target)"><option v-for="role in roles">{{ role }}</option></select></td><td class="t3">{{ day(user.created_at) }}</td><td class="r"><NewPassword :name="user.name" @said="change('PATCH', '/users/' + user.name, {password: $event})"/> <Ask word="Remove" :title="'Remove ' + user.name" said="All logins end at once. What was done under this name stays in the audit trail." @yes="change('DELETE', '/users/' + user.name)"/></td></tr>
    <tr v-if="!living.length"><td colspan="4" class="t3">None yet: nobody has to log in. The first one must be an admin, and you log in with it from then on.</td></tr>
  </tbody></table>
  <form class="add" @submit.prevent="addUser"><input v-model="user.name" class="field" required maxlength="64" placeholder="name" aria-label="Name of the new user" autocomplete="off"><select v-model="user.role" class="field" aria-label="Role of the new user"><option v-for="role in roles">{{ role }}</option></select><input v-model="user.password" class="field" type="password" required :minlength="min" maxlength="256" :placeholder="'password, ' + min + ' or more'" aria-label="Password of the new user" autocomplete="new-password"><button class="btn" :disabled="isBusy"><Icon name="plus" size="13"/>Add</button></form>
  <h3>Tokens</h3>
  <p v-if="made" class="made" role="status">{{ made.name }} opens {{ made.scope }}. Copy it now, it is not shown again: <input class="field mono" readonly :value="made.token" aria-label="The new token" @focus="$event.target.select()"><button class="btn" type="button" @click="copy">{{ copied ? 'Copied' : 'Copy' }}</button></p>
  <Failed v-if="tokens.error" :words="tokens.error" @again="tokens.ask()"/><Shapes v-else-if="!tokens.data"/>
  <table v-else class="grid"><thead><tr><th>Name</th><th>Opens</th><th>Until</th><th>Last used</th><th></th></tr></thead><tbody>
    <tr v-for="token in valid" :key="token.name"><td class="id" :title="'made by ' + token.created_by">{{ token.name }}</td><td>{{ token.scope }}</td><td class="t3" :title="token.expires_at">{{ token.expires_at.slice(0, 10) }}</td><td class="t3">{{ day(token.last_used_at) }}</td><td class="r"><Ask word="Revoke" :title="'Revoke ' + token.name" said="Whatever uses it is refused at once." @yes="change('DELETE', '/tokens/' + token.name)"/></td></tr>
    <tr v-if="!valid.length"><td colspan="5" class="t3">None.</td></tr>
  </tbody></table>
  <form class="add" @submit.prevent="addToken"><input v-model="token.name" class="field" required maxlength="64" placeholder="what it is for" aria-label="Name of the new token" autocomplete="off"><select v-model="token.scope" class="field" aria-label="What the new token opens"><option v-for="scope in scopes">{{ scope }}</option></select><label class="days"><input v-model.number="token.days" class="field" type="number" required min="1" max="3650"> days</label><button class="btn" :disabled="isBusy"><Icon name="plus" size="13"/>Create</button></form>
</Sheet>`,
  data: () => ({ roles: ROLES, scopes: SCOPES, min: PASSWORD_CHARS_MIN, user: { name: "", role: "viewer", password: "" }, token: { name: "", scope: "ingest", days: DAYS }, made: null, copied: false, isBusy: false, trouble: "" }),
  created() {
    this.users = question("/api/v1/users", () => ({}), { isFiltered: false });
    this.tokens = question("/api/v1/tokens", () => ({}), { isFiltered: false });
  },
  computed: {
    living() { return this.users.data.items.filter((each) => !each.removed_at); },
    valid() { return this.tokens.data.items.filter((each) => !each.revoked_at && Date.parse(each.expires_at) / 1000 > clock.second); },
  },
  methods: {
    day,
    // Returns what came back; null where it was refused, which is said.
    async change(method, path, body) {
      Object.assign(this, { isBusy: true, trouble: "" });
      try {
        return await call(`/api/v1${path}`, { method, body });
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
        return null;
      } finally {
        this.isBusy = false;
        this.users.ask();
        this.tokens.ask();
      }
    },
    async setRole(user, select) {
      if (!(await this.change("PATCH", `/users/${user.name}`, { role: select.value }))) select.value = user.role;
    },
    async addUser() {
      if (await this.change("POST", "/users", this.user)) this.user = { name: "", role: "viewer", password: "" };
    },
    async addToken() {
      this.made = await this.change("POST", "/tokens", this.token);
      this.copied = false;
      if (this.made) this.token = { name: "", scope: "ingest", days: DAYS };
    },
    async copy() {
      await copyText(this.made.token);
      this.copied = true;
    },
  },
};

export const People = {
  components: { Book, Panel },
  template: `
<Panel class="who-in" title="Users" :note="note"><template #head><button class="btn tiny" type="button" v-bind="needs('admin')" @click="isOpen = true">Users and tokens</button></template></Panel>
<Book v-if="isOpen" @close="isOpen = false"/>`,
  data: () => ({ isOpen: false }),
  computed: {
    note: () => (caller.isLocal ? "none yet: nobody logs in" : caller.isGuest ? "who is not logged in is viewer" : `you are ${caller.name}, ${caller.role}`),
  },
  methods: { needs },
};
