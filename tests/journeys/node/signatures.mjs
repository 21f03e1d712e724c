// What makes one journey serve the SDK before and after its fifth version, which moved ids from the path into a body.

const EVENTS = [
  "end", "event", "imageFileDone", "messageCreated", "messageDelta", "messageDone", "runStepCreated", "runStepDelta",
  "runStepDone", "textCreated", "textDelta", "textDone", "toolCallCreated", "toolCallDelta", "toolCallDone",
];

// The arguments that name a thing of a thread's (or, with another `owner`, of a store's), and what is sent with them.
export function named(client, ownerId, id, body, owner = "thread_id") {
  if (client.beta.assistants.del) return body ? [ownerId, id, body] : [ownerId, id];
  return [id, { [owner]: ownerId, ...body }];
}

// The same for a step.
export function namedStep(client, thread_id, run_id, id) {
  return client.beta.assistants.del ? [thread_id, run_id, id] : [id, { thread_id, run_id }];
}

// `del` became `delete`.
export const remove = (resource, ...names) => (resource.delete ?? resource.del).call(resource, ...names);

// The SDK goes on changing what it gave.
export const clone = (told) => JSON.parse(JSON.stringify(told));

// Pages or a stream to the end, as the SDK walks them.
export async function each(items) {
  const found = [];
  for await (const one of items) found.push(clone(one));
  return found;
}

// The names of an emitter's events, in the order in which they come.
export function called(emitter) {
  const names = [];
  for (const name of EVENTS) emitter.on(name, () => names.push(name));
  return names;
}

// What the SDK makes of an error.
export async function refusal(ask) {
  try {
    await ask();
  } catch (error) {
    const { status, type, code, param, error: body } = error;
    if (!status) throw error;
    return { kind: error.constructor.name, status, type, code, param, body };
  }
  throw new Error("this was not refused");
}
