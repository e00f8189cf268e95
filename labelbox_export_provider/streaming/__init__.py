"""How bytes move: files of an export stream to verified, whole objects in a store.

The threads of one landing, who wakes whom, and in which order they end:

- The **task's thread** runs `land_export` and makes no call itself: it joins output in order, in `OrderedBuffer`, and
  waits for what others do. So a signal, or a token that is cancelled, reaches it at any time.
- `labelbox-call_*` (`CallPool`, 8) make calls to the store beside each other: look, begin, complete, abort.
- `labelbox-member_*` (as many as workers) read, trim and compress one member each, and leave blocks in the
  `OrderedBuffer`. There they wait for room, which uploads make; the task's thread waits there for their blocks.
- `labelbox-index_*` (8) ask for files ahead of the workers; a worker waits in `FileIndex` for an answer on its way.
- `labelbox-upload_*` (as many as workers) send parts. Each part that is stored makes room in the `OrderedBuffer`.
- `labelbox-call` is one request to Labelbox or a file host. Nothing else waits in one that does not answer: whoever
  waits for the request leaves it when the token is cancelled, and it ends when its socket is shut down.

One `CancelToken` belongs to all of them. Whoever fails cancels it with its error, and so does whoever stops the task.
That wakes every wait above (`OrderedBuffer`, `FileIndex`, `CallPool.results`, sleeps between tries) and shuts the
sockets of file hosts and of Labelbox. Then, in this order: workers and questions end; uploads that have begun are
waited for, for `STOP_SECONDS` at most, since only the store's client could end them; what was opened is aborted; the
first error is raised. A call to the store that takes longer ends by itself, in a thread that nobody waits for.
"""
