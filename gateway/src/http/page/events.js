// Reads server-sent events (HTML, 9.2) from a response. EventSource would do it, but cannot send a token.

/** The gateway says that it is there every 15 s; what is silent for longer than this is dead. */
const SILENCE_MS = 40_000;

/** What comes, as {id, event, data}. It ends as the response does, and throws when that breaks or falls silent. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let current = {};
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read());
      if (done) return;
      const lines = (text + value).split("\n");
      text = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (current.data !== undefined) yield current;
          current = {};
        } else {
          add(current, line);
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function add(current, line) {
  const colon = line.indexOf(":");
  if (colon === 0) return;
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "data") current.data = current.data === undefined ? value : `${current.data}\n${value}`;
  else if (name === "id" || name === "event") current[name] = value;
}

function inTime(reading) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("nothing came for too long")), SILENCE_MS);
  });
  return Promise.race([reading, late]).finally(() => clearTimeout(timer));
}
