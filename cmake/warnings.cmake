# SPDX-License-Identifier: Apache-2.0
add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers)
if(VOLPLUGIN_SANITIZE)
  add_compile_options(-fsanitize=${VOLPLUGIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${VOLPLUGIN_SANITIZE})
  if(VOLPLUGIN_SANITIZE MATCHES thread)
    add_compile_options(-Wno-tsan) # Boost.Asio uses atomic_thread_fence
  endif()
else()
  # Only without sanitizers: GCC 12 has false positives with them.
  add_compile_options(-Werror)
endif()
if(VOLPLUGIN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link -Wno-gnu-statement-expression)
endif()
