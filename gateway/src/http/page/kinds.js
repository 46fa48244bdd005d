// What tasks and notes are, as far as the page's lists and forms know: everything else about them is the same.

import { h } from "./dom.js";
import { people, spaces, teamName, userName } from "./people.js";
import { when } from "./time.js";

const STATUSES = [["open", "Open"], ["in_progress", "In progress"], ["blocked", "Blocked"], ["done", "Done"], ["cancelled", "Cancelled"]];
const PRIORITIES = [["0", "None"], ["1", "Urgent"], ["2", "High"], ["3", "Normal"], ["4", "Low"]];
const ORDERS = [["-updated_at", "Last changed"], ["-created_at", "Newest"], ["created_at", "Oldest"]];

const status = Object.fromEntries(STATUSES);
const priority = Object.fromEntries(PRIORITIES);

const everybody = () => [["", "Anybody"], ...people.users.map((user) => [user.id, user.id === people.me.id ? "Me" : user.name])];
const space = { name: "space_id", label: "Space", options: () => [["", "All"], ...spaces()] };
const order = { name: "order", label: "Order", options: () => ORDERS };
const title = { name: "title", label: "Title", type: "text", required: true, maxlength: 500 };
const body = { name: "body", label: "Text", type: "long", help: "Markdown." };
const tags = { name: "tags", label: "Tags", type: "tags", help: "Enter or a comma ends a tag." };
const team = { name: "team_id", label: "Who sees it", type: "choice", onlyNew: true,
  options: () => spaces().map(([id, name]) => [id === people.me.id ? "" : id, name]) };

export const TASK = {
  name: "task", title: "Tasks", path: "tasks", url: "/api/v1/tasks",
  empty: "No tasks yet. Make the first one: what is to be done next?",
  filters: [{ name: "status", label: "Status", options: () => [["", "All"], ...STATUSES] }, { name: "assignee_id", label: "Assigned to", options: everybody }, space, order],
  fields: [
    title, body,
    { name: "status", label: "Status", type: "choice", options: () => STATUSES },
    { name: "priority", label: "Priority", type: "choice", isNumber: true, options: () => PRIORITIES },
    { name: "due_at", label: "Due", type: "time" },
    { name: "assignee_id", label: "Assigned to", type: "choice", options: () => [["", "Nobody"], ...everybody().slice(1)] },
    team, tags,
  ],
};

export const NOTE = {
  name: "note", title: "Notes", path: "notes", url: "/api/v1/notes",
  empty: "No notes yet. Write down what you do not want to keep in your head.",
  filters: [space, order],
  fields: [title, body, team, tags],
};

/** What a list and a record's head say of it beside its title. */
export function facts(record) {
  const isOver = ["done", "cancelled"].includes(record.status);
  const isLate = record.due_at && !isOver && new Date(record.due_at) < Date.now();
  return h("ul", { class: "facts" },
    record.status ? h("li", null, h("span", { class: `pill ${record.status}` }, status[record.status] ?? record.status)) : null,
    record.priority ? h("li", { class: record.priority === 1 && !isOver ? "urgent" : null }, `${priority[record.priority]} priority`) : null,
    record.due_at ? h("li", { class: isLate ? "urgent" : null }, "due ", when(record.due_at)) : null,
    record.assignee_id ? h("li", null, "for ", h("bdi", null, userName(record.assignee_id))) : null,
    record.team_id ? h("li", null, h("bdi", null, teamName(record.team_id))) : null,
    record.tags?.map((tag) => h("li", { class: "tag" }, h("bdi", null, tag))),
    h("li", null, "changed ", when(record.updated_at)));
}
