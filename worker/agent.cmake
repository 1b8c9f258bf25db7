# The agent, pure: what a worker says and does, without a clock, a socket or a thread.
add_library(quartet_agent STATIC
  agent.c
  agent_deeds.c
  agent_describe.c
  agent_holding.c
  agent_leave.c
  agent_results.c
  agent_timers.c
  agent_window.c)
target_link_libraries(quartet_agent PUBLIC quartet_base)
