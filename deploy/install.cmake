# What `cmake --install` puts where: the programs, and what a plugin is built with: one header, found by pkg-config (`quartet`) or by
# CMake (`find_package(quartet)`, target quartet::workload). Plugins link nothing of ours. The package may be moved: nothing in it is an
# absolute path.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS quartet quartet-worker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# Within the build the header is where an installed one would be: what is under examples/ is built in both ways.
set(PACKAGE_DIR ${CMAKE_BINARY_DIR}/package)
configure_file(worker/workloads/workload.h ${PACKAGE_DIR}/include/quartet/workload.h COPYONLY)
install(FILES worker/workloads/workload.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/quartet)

add_library(quartet_workload INTERFACE)
add_library(quartet::workload ALIAS quartet_workload)
set_target_properties(quartet_workload PROPERTIES EXPORT_NAME workload)
target_include_directories(quartet_workload INTERFACE
  $<BUILD_INTERFACE:${PACKAGE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

set(CMAKE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/quartet)
install(TARGETS quartet_workload EXPORT quartet)
install(EXPORT quartet NAMESPACE quartet:: FILE quartetConfig.cmake DESTINATION ${CMAKE_PACKAGE_DIR})
write_basic_package_version_file(${PACKAGE_DIR}/quartetConfigVersion.cmake
  COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES ${PACKAGE_DIR}/quartetConfigVersion.cmake DESTINATION ${CMAKE_PACKAGE_DIR})

set(PKGCONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH PREFIX_FROM_PKGCONFIG /${PKGCONFIG_DIR} /)
configure_file(deploy/quartet.pc.in ${PACKAGE_DIR}/quartet.pc @ONLY)
install(FILES ${PACKAGE_DIR}/quartet.pc DESTINATION ${PKGCONFIG_DIR})
