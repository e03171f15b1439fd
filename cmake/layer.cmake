# SPDX-License-Identifier: Apache-2.0
# volplugin_layer(<folder> [libraries...]): one static library `vp_<folder>` from src/<folder>/**.cc.
# Files named *_test.cc belong to the unit tests, those in folders named module to volplugin_module().
function(volplugin_layer folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/module/")
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

# volplugin_module(<name> <folder> [libraries...]): build/bin/<name>.so from src/<folder>/*.cc, loaded by programs that
# need it, so that the others run without its libraries.
function(volplugin_module name folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/*.cc)
  add_library(${name} MODULE ${sources})
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE ${ARGN} -Wl,--exclude-libs,ALL)
endfunction()
