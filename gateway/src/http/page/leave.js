// What was written and not saved is not lost by a stray key: whoever leaves is asked.

import { confirm } from "./confirm.js";

let unsaved = null;

/** From now on, `isUnsaved` says whether leaving would lose something; null when nothing can be. */
export function guard(isUnsaved) {
  unsaved = isUnsaved;
}

/** Whether nothing would be lost, or may be. */
export async function mayLeave() {
  if (!unsaved?.()) {
    unsaved = null;
    return true;
  }
  const yes = await confirm("Leave without saving?", "What you have written here would be lost.", "Leave");
  if (yes) unsaved = null;
  return yes;
}

addEventListener("beforeunload", (event) => {
  if (unsaved?.()) event.preventDefault();
});
