# The scheduler, pure.
add_library(quartet_sched STATIC
  sched.c
  sched_adopt.c
  sched_check.c
  sched_chunks.c
  sched_describe.c
  sched_dispatch.c
  sched_duplicates.c
  sched_moves.c
  sched_restore.c
  sched_results.c
  sched_size.c
  sched_status.c
  sched_speculate.c
  sched_suspects.c
  sched_workers.c)
target_link_libraries(quartet_sched PUBLIC quartet_base)
