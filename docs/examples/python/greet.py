"""An application that knows nothing of Wiretape: it asks an assistant by the official SDK."""

from __future__ import annotations

import openai


def greet(words: str) -> str:
    """Greet an assistant and give what it says; raises RuntimeError where its run does not come to a good end."""
    client = openai.OpenAI()
    assistant = client.beta.assistants.create(model="gpt-4o-mini", name="Greeter")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": words}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        said = "".join(stream.text_deltas)
        run = stream.get_final_run()
    if run.status != "completed":
        raise RuntimeError(f"the run is {run.status}")
    return said
