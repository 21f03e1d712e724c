// Its test, by the cassette that the Python tests recorded:
//   wiretape replay ../python/cassettes/greet --strict -- npm test

import assert from "node:assert/strict";
import { test } from "node:test";

import { greet } from "./greet.mjs";

test("it is greeted back", async () => {
  assert.match(await greet("Good morning!"), /Good morning/);
});
