// An application that knows nothing of Wiretape: it asks an assistant by the official SDK.

import OpenAI from "openai";

export async function greet(words) {
  const { beta } = new OpenAI();
  const assistant = await beta.assistants.create({ model: "gpt-4o-mini", name: "Greeter" });
  const thread = await beta.threads.create({ messages: [{ role: "user", content: words }] });
  const stream = beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
  let said = "";
  for await (const { event, data } of stream) {
    if (event === "thread.message.delta") said += data.delta.content[0].text.value;
  }
  return said;
}
