# Report formats, statistics, command line, progress.
add_library(quartet_report STATIC
  environment.c
  json_build.c
  progress.c
  report_csv.c
  report_grid.c
  report_hosts.c
  report_json.c
  report_markdown.c
  report_parts.c
  report_scaling.c
  report_table.c
  stats.c
  terminal.c
  verdict.c
  verdict_scaling.c
  verdict_text.c)
target_link_libraries(quartet_report
  PUBLIC quartet_flags quartet_base quartet_workloads
  PRIVATE quartet_io PkgConfig::JANSSON PkgConfig::MICROHTTPD m)
