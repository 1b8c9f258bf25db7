# Results of single items: formats, order, files, and the thread that writes them.
add_library(quartet_sink STATIC
  background.c
  directory.c
  sink.c
  sink_claims.c
  sink_columns.c
  sink_csv.c
  sink_cuts.c
  sink_failures.c
  sink_file.c
  sink_format.c
  sink_held.c
  sink_joblog.c
  sink_ndjson.c
  sink_order.c
  sink_outputs.c
  sink_outputs_open.c
  sink_print.c
  sink_raw.c
  sink_results.c
  sink_results_resume.c
  sink_text.c
  sink_text_json.c
  sink_thread.c
  sink_tsv.c)
target_link_libraries(quartet_sink PUBLIC quartet_flags quartet_base PRIVATE Threads::Threads)
