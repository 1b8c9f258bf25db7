# The bundle that `--push` copies: quartet-worker with all that it loads (deploy/bundle.sh). It lies beside the programs in the build
# tree; `cmake --install` puts it into libexec/quartet. The target `bundle` is part of `all`, so that a push never takes an older worker along
# than the coordinator's own.
include(GNUInstallDirs)

set(QUARTET_MACHINE ${CMAKE_SYSTEM_PROCESSOR}) # as `uname -m` says
set(BUNDLE ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/quartet-bundle-${QUARTET_MACHINE}.tar.gz)
set(BUNDLE_INSTALL_DIR ${CMAKE_INSTALL_LIBEXECDIR}/quartet)

add_custom_command(OUTPUT ${BUNDLE} ${BUNDLE}.sha256
  COMMAND ${CMAKE_SOURCE_DIR}/deploy/bundle.sh $<TARGET_FILE:quartet-worker> ${CMAKE_BINARY_DIR}/quartet-bundle ${BUNDLE}
  DEPENDS quartet-worker ${CMAKE_SOURCE_DIR}/deploy/bundle.sh
  COMMENT "Bundling quartet-worker with its libraries" VERBATIM)
add_custom_target(bundle ALL DEPENDS ${BUNDLE} ${BUNDLE}.sha256)
install(FILES ${BUNDLE} ${BUNDLE}.sha256 DESTINATION ${BUNDLE_INSTALL_DIR})

# Where the coordinator looks: beside itself, and from there where it was installed.
file(RELATIVE_PATH BUNDLE_FROM_BIN ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBEXECDIR}/quartet)
set_source_files_properties(${CMAKE_SOURCE_DIR}/coordinator/launch/bundle.c TARGET_DIRECTORY quartet_coordinator PROPERTIES
  COMPILE_DEFINITIONS "QUARTET_MACHINE=\"${QUARTET_MACHINE}\";QUARTET_BUNDLE_DIR=\"${BUNDLE_FROM_BIN}\"")
