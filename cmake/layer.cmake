# SPDX-License-Identifier: Apache-2.0
# volplugin_layer(<folder> [libraries...]): one static library `vp_<folder>` from src/<folder>/**.cc.
# Files named *_test.cc belong to the unit tests.
function(volplugin_layer folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  if(NOT sources)
    return()
  endif()
  string(REPLACE "/" "_" name ${folder})
  add_library(vp_${name} STATIC ${sources})
  target_include_directories(vp_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(vp_${name} PUBLIC ${ARGN})
endfunction()

# volplugin_program(<name> [libraries...]): build/bin/<name> from src/cmd/<name>/main.cc.
function(volplugin_program name)
  add_executable(${name} ${CMAKE_SOURCE_DIR}/src/cmd/${name}/main.cc)
  # No libraries that its own code does not need: volplugin has no use for gRPC.
  target_link_libraries(${name} PRIVATE ${ARGN} -Wl,--as-needed)
endfunction()
