# What is judged of a run, pure: why nothing moves, how fast it is, when workers are started again.
add_library(quartet_judge STATIC
  pace.c
  restart.c
  stall.c)
target_link_libraries(quartet_judge PUBLIC quartet_base)
