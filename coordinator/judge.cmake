# What is judged of a run, pure: why nothing moves, how fast it is, when workers are started again, how often they give life signs.
add_library(quartet_judge STATIC
  pace.c
  restart.c
  stall.c
  tempo.c)
target_link_libraries(quartet_judge PUBLIC quartet_base)
