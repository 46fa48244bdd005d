// A message that was written before its session was there, to be sent when the session is shown.

let waiting = null;

export function setFirst(session, content) {
  waiting = { session, content };
}

/** The message for this session, once. */
export function takeFirst(session) {
  const first = waiting?.session === session ? waiting.content : null;
  waiting = null;
  return first;
}
