/* Names and directory entries of files that must outlive this process. */
#ifndef QUARTET_COORDINATOR_SINK_DIRECTORY_H
#define QUARTET_COORDINATOR_SINK_DIRECTORY_H

/* `path` with its directory as the system has it: absolute, without links, "." and "..". The last
 * part stays as it is: the file need not be there, and a link keeps its name. To be freed; NULL with
 * errno. */
char *directory_absolute(const char *path);

/* Make sure that the entry of the file `path` outlives a power failure: fsync of the directory that
 * it is in. File systems that cannot do that are believed not to need it. Returns 0 or -1 with
 * errno. */
int directory_sync_of(const char *path);

#endif
