# What launchers read and say, pure: lists of hosts, command lines for shells elsewhere, addresses.
add_library(quartet_launch STATIC
  hosts.c
  launch_push.c
  launch_shell.c
  launch_tunnel.c
  shell_words.c)
target_link_libraries(quartet_launch PUBLIC quartet_base)
