/* quartet-worker --describe FILE: what a plugin is called, takes and can, for the coordinator, which
 * does not run foreign code in its own process. */
#ifndef QUARTET_WORKER_DESCRIBE_H
#define QUARTET_WORKER_DESCRIBE_H

/* Load the plugin and print its description as one line of JSON on standard output:
 *
 *   {"name": "linecount", "summary": "...", "abi": "1.0",
 *    "traits": ["idempotent", "bytes"],
 *    "forms": ["run"],
 *    "default_range": "1:64" or null,
 *    "parameters": [{"name": "longer-than", "kind": "bytes", "unit": "bytes", "default": "0" or null,
 *                    "max": 1048576.0, "choices": null, "help": "..."}]}
 *
 * with the words of worker/workloads/plugin_words.h; or one line of refusal on standard error.
 * Returns the exit status: 0 or 2. What the plugin itself prints goes to standard error. */
int describe(const char *path);

#endif
