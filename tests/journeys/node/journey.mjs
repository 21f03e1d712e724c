// The same long conversation as ../journey.py, by the official SDK for Node alone; prints all that it saw as one JSON
// document. It takes the package to walk with, and OPENAI_BASE_URL and OPENAI_API_KEY. How often a helper polled is not
// told: everything else is.

import { library } from "./library.mjs";
import { called, clone, each, named, namedStep, refusal, remove } from "./signatures.mjs";

const { default: OpenAI } = await import(process.argv[2]);
const client = new OpenAI();
const { assistants, threads } = client.beta;
const { messages, runs } = threads;

const POLL = { pollIntervalMs: 1 };
const model = "gpt-4o-mini";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const WEATHER = {
  type: "function",
  function: { name: "get_weather", description: "The weather in a city", parameters },
};
const FATES = ["fail rate_limit_exceeded", "expire"];

const said = (content) => ({ role: "user", content });
const GREETED = { messages: [said("Hello!")] };
const madeAssistant = async (settings = {}) => (await assistants.create({ model, ...settings })).id;

// Let the SDK's helper follow a stream: the events, the listeners called, and what it put together from them.
async function streamed(stream) {
  const heard = called(stream);
  const events = await each(stream);
  const told = { events, called: heard, run: await stream.finalRun(), steps: await stream.finalRunSteps() };
  return clone({ ...told, messages: await stream.finalMessages() });
}

// Answer all the calls that a run waits for.
function outputs(run, more = {}) {
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  const given = calls.map((call) => ({ tool_call_id: call.id, output: '{"sky":"clear","celsius":22}' }));
  return named(client, run.thread_id, run.id, { tool_outputs: given, ...more });
}

// Made, listed page by page in both orders, read, changed, deleted.
async function assistantsChapter() {
  const made = [];
  for (let number = 0; number < 5; number++) made.push(await assistants.create({ model, name: `No. ${number}` }));
  const first = made[0].id;
  return {
    made,
    up: await each(assistants.list({ limit: 2, order: "asc" })),
    down: await each(assistants.list({ limit: 2, order: "desc" })),
    page: (await assistants.list({ limit: 9, order: "asc", before: made[1].id })).data,
    changed: await assistants.update(first, { name: "Ada", metadata: { a: "1" }, temperature: 0.5 }),
    read: await assistants.retrieve(first),
    deleted: await remove(assistants, first),
    gone: await refusal(() => assistants.retrieve(first)),
    wrong: await refusal(() => assistants.create({ model, temperature: 3 })),
  };
}

// A thread with messages: listed page by page in both orders, read, changed; then it goes.
async function threadsChapter() {
  const thread = await threads.create({ messages: [said("One"), said("Two")], metadata: { b: "2" } });
  const content = [{ type: "text", text: "Three" }];
  const message = await messages.create(thread.id, { role: "user", content, metadata: { c: "3" } });
  const one = (body) => named(client, thread.id, message.id, body);
  return {
    made: thread,
    message,
    up: await each(messages.list(thread.id, { limit: 2, order: "asc" })),
    down: await each(messages.list(thread.id, { limit: 2 })),
    read: await messages.retrieve(...one()),
    labelled: await messages.update(...one({ metadata: { c: "4" } })),
    less: messages.delete ? await messages.delete(...one()) : null, // the oldest SDK has no method for it
    changed: await threads.update(thread.id, { metadata: { b: "5" } }),
    again: await threads.retrieve(thread.id),
    deleted: await remove(threads, thread.id),
    gone: await refusal(() => threads.retrieve(thread.id)),
  };
}

// An answer in text, four ways: the streaming helper twice, the raw stream, the polling helper.
async function text() {
  const assistant_id = await madeAssistant();
  const thread = await threads.create(GREETED);
  const told = {
    heard: await streamed(runs.stream(thread.id, { assistant_id, additional_instructions: "Be kind." })),
    again: await streamed(runs.stream(thread.id, { assistant_id })),
    raw: await each(await runs.create(thread.id, { assistant_id, stream: true })),
    polled: await runs.createAndPoll(thread.id, { assistant_id, instructions: "Be brief." }, POLL),
  };
  const run = (body) => named(client, thread.id, told.polled.id, body);
  const steps = await runs.steps.list(...run({ order: "asc" }));
  const step = steps.data[0].id;
  return {
    ...told,
    steps: steps.data,
    step: await runs.steps.retrieve(...namedStep(client, thread.id, told.polled.id, step)),
    messages: await each(messages.list(thread.id, { limit: 3 })),
    runs: await each(runs.list(thread.id, { limit: 2, order: "asc" })),
    labelled: await runs.update(...run({ metadata: { d: "6" } })),
  };
}

// A function call, by streams and by polls.
async function tools() {
  const assistant_id = await madeAssistant({ tools: [WEATHER] });
  const thread = await threads.create({ messages: [said("What is the weather in Lisbon?")] });
  const asked = await streamed(runs.stream(thread.id, { assistant_id }));
  const answered = await streamed(runs.submitToolOutputsStream(...outputs(asked.run)));
  const waits = await runs.createAndPoll(thread.id, { assistant_id }, POLL);
  const polled = await runs.submitToolOutputsAndPoll(...outputs(waits), POLL);
  const waitsRaw = await each(await runs.create(thread.id, { assistant_id, stream: true }));
  const last = waitsRaw.at(-1).data;
  const raw = await each(await runs.submitToolOutputs(...outputs(last, { stream: true })));
  const late = await refusal(() => runs.submitToolOutputs(...outputs(last)));
  const steps = await each(runs.steps.list(...named(client, thread.id, last.id, { limit: 1, order: "asc" })));
  return { asked, answered, waits, polled, waitsRaw, raw, late, steps };
}

// Thread and run made by one request: streamed by the helper and raw, and polled.
async function together() {
  const whole = { assistant_id: await madeAssistant({ name: "Together" }), thread: GREETED };
  return {
    helper: await streamed(threads.createAndRunStream(whole)),
    raw: await each(await threads.createAndRun({ ...whole, stream: true })),
    polled: await threads.createAndRunPoll(whole, POLL),
  };
}

// Runs that do not complete, and one that is cancelled while its thread is busy.
async function fates() {
  const assistant_id = await madeAssistant();
  const told = {};
  for (const sandbox of FATES) {
    const rehearsed = { assistant_id, thread: GREETED, metadata: { sandbox } };
    told[sandbox] = await streamed(threads.createAndRunStream(rehearsed));
    told[`${sandbox}, polled`] = await threads.createAndRunPoll(rehearsed, POLL);
  }
  const stalled = await threads.createAndRun({ assistant_id, thread: GREETED, metadata: { sandbox: "stall" } });
  const one = named(client, stalled.thread_id, stalled.id);
  return {
    ...told,
    stalled,
    busy: await refusal(() => messages.create(stalled.thread_id, said("More"))),
    busyToo: await refusal(() => runs.create(stalled.thread_id, { assistant_id })),
    cancelling: await runs.cancel(...one),
    cancelled: await runs.poll(...one, POLL),
    tooLate: await refusal(() => runs.cancel(...one)),
    runs: await each(runs.list(stalled.thread_id)),
  };
}

// A run that stops at a bound: the oldest SDK does not know `incomplete`; its helpers reject, or poll for ever.
async function bounded() {
  const rehearsed = { thread: GREETED, metadata: { sandbox: "incomplete max_completion_tokens" } };
  const whole = { assistant_id: await madeAssistant(), ...rehearsed };
  if (assistants.del) return { events: await each(await threads.createAndRun({ ...whole, stream: true })) };
  const told = await streamed(threads.createAndRunStream(whole));
  return { ...told, polled: await threads.createAndRunPoll(whole, POLL) };
}

const told = {
  assistants: await assistantsChapter(),
  threads: await threadsChapter(),
  text: await text(),
  tools: await tools(),
  together: await together(),
  fates: await fates(),
  bounded: await bounded(),
  library: await library(client),
};
process.stdout.write(JSON.stringify(told));
