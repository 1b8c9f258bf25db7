# Writes quartet_version.h when the commit has changed. Run at every build: cmake -D SOURCE=... -D OUTPUT=... -D VERSION=... -P version.cmake
# A tree without git is told by QUARTET_COMMIT in the environment.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE FAILED)
if(FAILED)
  string(REGEX MATCH "^[0-9A-Za-z._-]+$" COMMIT "$ENV{QUARTET_COMMIT}")
endif()
if(NOT COMMIT)
  set(COMMIT "unknown")
endif()
set(TEXT "#define QUARTET_VERSION \"${VERSION}\"\n#define QUARTET_COMMIT \"${COMMIT}\"\n")
set(BEFORE "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} BEFORE)
endif()
if(NOT BEFORE STREQUAL TEXT)
  file(WRITE ${OUTPUT} "${TEXT}")
endif()
