// The journey's chapter of files and vector stores; told in one word by a server that keeps none.

import { each, named, refusal, remove } from "./signatures.mjs";

const NOTES = "The sea is salt. The lighthouse of Bremen stands in Bremerhaven, and its keeper is called Ada.\n";
const POLL = { pollIntervalMs: 1 };

// Files and vector stores, and a run that may search them.
export async function library(client) {
  try {
    await client.files.list();
  } catch (error) {
    if (error.status) return { served: false };
    throw error;
  }
  const stores = client.vectorStores ?? client.beta.vectorStores; // newer SDKs have them outside beta
  const file = await client.files.create({ file: new File([NOTES], "notes.txt"), purpose: "assistants" });
  const store = await stores.create({ name: "Notes", metadata: { e: "7" } });
  return {
    served: true,
    file,
    files: await each(client.files.list({ purpose: "assistants" })),
    read: await client.files.retrieve(file.id),
    store,
    ...(await filled(client, stores, store.id, file.id)),
    ...(await searched(client, store.id, file.id)),
    ...(await cleared(client, stores, store.id, file.id)),
  };
}

// Put the file into the store, alone and in a batch.
async function filled(client, stores, store, file) {
  return {
    kept: await stores.files.createAndPoll(store, { file_id: file }, POLL),
    batch: await stores.fileBatches.createAndPoll(store, { file_ids: [file] }, POLL),
    keptFiles: await each(stores.files.list(store, { limit: 1 })),
    keptFile: await stores.files.retrieve(...named(client, store, file, undefined, "vector_store_id")),
    stores: await each(stores.list({ limit: 1, order: "asc" })),
    renamed: await stores.update(store, { name: "All notes" }),
    counted: await stores.retrieve(store),
  };
}

// Ask an assistant that searches the store, with the file attached once more for the interpreter.
async function searched(client, store, file) {
  const { assistants, threads } = client.beta;
  const assistant = await assistants.create({
    model: "gpt-4o-mini",
    tools: [{ type: "file_search" }, { type: "code_interpreter" }],
    tool_resources: { file_search: { vector_store_ids: [store] } },
  });
  const attachments = [{ file_id: file, tools: [{ type: "code_interpreter" }] }];
  const thread = await threads.create({ messages: [{ role: "user", content: "Who keeps the lighthouse?", attachments }] });
  const where = { assistant_id: assistant.id };
  const events = await each(await threads.runs.create(thread.id, { ...where, stream: true }));
  const run = await threads.runs.createAndPoll(thread.id, where, POLL);
  const steps = await each(threads.runs.steps.list(...named(client, thread.id, run.id, { order: "asc" })));
  return { thread, events, run, steps, messages: await each(threads.messages.list(thread.id)) };
}

// Delete from the store, then the store, then the file.
async function cleared(client, stores, store, file) {
  return {
    taken: await remove(stores.files, ...named(client, store, file, undefined, "vector_store_id")),
    closed: await remove(stores, store),
    deleted: await remove(client.files, file),
    gone: await refusal(() => client.files.retrieve(file)),
  };
}
