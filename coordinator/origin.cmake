# The HTTP server to download from: a stand-in for a network.
add_library(quartet_origin STATIC
  origin.c
  origin_routes.c
  origin_wait.c)
target_link_libraries(quartet_origin
  PUBLIC quartet_flags quartet_base
  PRIVATE PkgConfig::MICROHTTPD Threads::Threads)
