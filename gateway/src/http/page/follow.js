// Follows a session across connections that break. What is stored has a place in it, from which the next connection goes on; a message that was
// sent, and of which nothing came back, is sent again under its id, which begins no second turn.

import { Problem, send } from "./api.js";
import { events } from "./events.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8_000;

/**
 * What happens behind the message in place `after`, until no turn is running: {event, data}, with data read. `say` is a message that begins a
 * turn. An event "broken" tells that a connection broke, and that another will be tried.
 */
export async function* follow(session, { after, say, signal }) {
  let wait = FIRST_WAIT_MS;
  let place = after;
  let saying = say;
  for (;;) {
    try {
      const response = await open(session, place, saying, signal);
      for await (const { id, event, data } of events(response)) {
        wait = FIRST_WAIT_MS;
        if (id !== undefined) {
          place = Number(id);
          saying = undefined;
        }
        yield { event, data: JSON.parse(data) };
        if (event === "end") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && !mayPass(error)) throw error;
    }
    if (signal.aborted) return;
    yield { event: "broken" };
    await pause(wait, signal);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/** Whether it is worth another attempt. That there is no chat model is said once: waiting does not bring one. */
function mayPass(problem) {
  return problem.passes && !(problem.status === 503 && problem.hint?.includes("models.chat"));
}

function open(session, place, saying, signal) {
  const path = `/api/v1/sessions/${session}`;
  const accept = { accept: "text/event-stream" };
  if (saying) return send("POST", `${path}/messages`, { body: saying, headers: accept, signal });
  return send("GET", `${path}/events`, { headers: { ...accept, "last-event-id": String(place) }, signal });
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
