"""A small recording in each foreign format."""

from types import MappingProxyType

SAMPLES = MappingProxyType(
    {
        "vcr": b"""interactions:
- request:
    body: '{"assistant_id": "asst_abc123"}'
    headers:
      content-type: [application/json]
    method: POST
    uri: https://api.example.com/v1/threads/thread_abc123/runs
  response:
    body:
      string: "event: thread.run.created\\ndata: {\\"id\\":\\"run_abc123\\"}\\n\\ndata: [DONE]\\n\\n"
    headers:
      Content-Type: [text/event-stream]
      Transfer-Encoding: [chunked]
    status: {code: 200, message: OK}
- request:
    body: null
    headers: {}
    method: GET
    uri: https://api.example.com/v1/threads/thread_abc123/runs/run_abc123
  response:
    body: {string: !!binary /w==}
    headers: {x-a: ['1', '2']}
    status: {code: 200, message: OK}
version: 1
""",
        "ruby-vcr": b"""---
http_interactions:
- request:
    method: post
    uri: https://api.example.com/v1/threads
    body: {encoding: UTF-8, string: '{}'}
    headers:
      Content-Type: [application/json]
  response:
    status: {code: 200, message: OK}
    headers:
      Content-Type: [application/json]
    body:
      encoding: ASCII-8BIT
      base64_string: |
        eyJpZCI6InRocmVhZF9hYmMxMjMi
        fQ==
  recorded_at: Thu, 09 Nov 2023 12:41:47 GMT
recorded_with: VCR 6.2.0
""",
        "go-vcr": b"""---
version: 2
interactions:
    - id: 0
      request:
        body: '{"stream":false}'
        headers:
            Content-Type: [application/json]
        url: https://api.example.com/v1/threads/runs
        method: POST
      response:
        body: '{"id":"run_abc123"}'
        headers:
            Content-Type: [application/json]
        status: 200 OK
        code: 200
        duration: 1.612958419s
""",
        "har": b"""{"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": [{
"startedDateTime": "2026-01-31T00:12:21.307Z", "time": 12.6,
"request": {"method": "POST", "url": "https://api.example.com/v1/threads", "headers": [
  {"name": "content-type", "value": "application/json"}], "postData": {"mimeType": "application/json", "text": "{}"}},
"response": {"status": 200, "headers": [{"name": "content-type", "value": "text/event-stream"}],
  "content": {"size": 9, "mimeType": "text/event-stream", "text": "data: 1\\n\\n", "encoding": ""}},
"_chunks": [[5, 4], [7, 5]], "_eventSourceMessages": [{"time": 1769818341.319, "data": "1"}],
"cache": {}, "timings": {"send": 0, "wait": 5, "receive": 7}}]}}
""",
        "azure": b"""{"Entries": [{"RequestUri": "https://api.example.com/v1/files", "RequestMethod": "POST",
"RequestHeaders": {"Content-Type": "multipart/form-data; boundary=b"},
"RequestBody": ["--b\\r\\n", "\\r\\n", "b64:/w==", "\\r\\n--b--\\r\\n"], "StatusCode": 200,
"ResponseHeaders": {"Content-Type": "application/json", "x-a": ["1", "2"]},
"ResponseBody": {"id": "file-abc123", "bytes": 1}}], "Variables": {}}
""",
        "sse": b'event: thread.run.created\ndata: {"id":"run_abc123"}\n\n: keep-alive\n\ndata: [DONE]\n\n',
    }
)
"""Bytes by the format's name on the command line."""
