# What it takes to go on after the coordinator has died. SQLite is entered here only.
add_library(quartet_journal STATIC
  journal.c
  journal_batch.c
  journal_group.c
  journal_medium.c
  journal_progress.c
  journal_read.c
  journal_read_waiting.c
  journal_schema.c
  journal_seal.c
  journal_sql.c
  journal_store.c
  journal_thread.c
  journal_write.c)
target_link_libraries(quartet_journal PUBLIC quartet_flags quartet_sink quartet_base
  PRIVATE PkgConfig::SQLITE PkgConfig::XXHASH Threads::Threads)
