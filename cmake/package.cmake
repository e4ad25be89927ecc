# What is installed beside programs and libraries, and the packages made of it all (docs/packages.md).
# Components: program, data, library, dev, python, cuda, mpi; portable is the program with all it needs.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# Manual pages and completions are what the program says of itself. Zsh looks into site-functions of
# /usr/local, where Debian builds it, and into vendor-completions of /usr.
set(described ${CMAKE_BINARY_DIR}/described)
set(completions share/bash-completion/completions/unmask share/fish/vendor_completions.d/unmask.fish
  share/zsh/site-functions/_unmask share/zsh/vendor-completions/_unmask)
set(commands)
foreach(completion ${completions})
  string(REGEX MATCH "bash|zsh|fish" shell ${completion})
  cmake_path(GET completion PARENT_PATH folder)
  list(APPEND commands COMMAND ${CMAKE_COMMAND} -E make_directory ${described}/${folder}
    COMMAND unmask_cli completion ${shell} > ${described}/${completion})
endforeach()
list(TRANSFORM completions PREPEND ${described}/)
add_custom_command(OUTPUT ${described}/share/man/man1/unmask.1 ${completions} VERBATIM
  DEPENDS unmask_cli ${PROJECT_SOURCE_DIR}/tools/package/manual.py
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/package/manual.py $<TARGET_FILE:unmask_cli>
    ${described}/share/man/man1
  ${commands})
add_custom_target(description ALL DEPENDS ${described}/share/man/man1/unmask.1)
install(DIRECTORY ${described}/share DESTINATION . COMPONENT data)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models/demo DESTINATION ${CMAKE_INSTALL_DATADIR}/unmask
  COMPONENT data)
# The bill of materials is there where ./dev package wrote it.
set(materials ${CMAKE_BINARY_DIR}/materials)
set(delivered unmask_cli libunmask)
if(TARGET unmask_python)
  list(APPEND delivered unmask_python)
endif()
list(TRANSFORM delivered REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE delivered_files)
add_custom_target(materials DEPENDS ${delivered} VERBATIM
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/package/bill_of_materials.py
    ${CMAKE_BINARY_DIR} ${PROJECT_VERSION} ${materials} ${delivered_files})
install(FILES ${materials}/unmask.spdx.json ${materials}/THIRD-PARTY-NOTICES OPTIONAL
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT data)

# The portable archive: the program beside its libraries and their loader, and what starts it with these.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(loader ld-linux-aarch64.so.1)
else()
  set(loader ld-linux-x86-64.so.2)
endif()
add_executable(unmask_launcher EXCLUDE_FROM_ALL tools/package/launcher.c)
target_compile_definitions(unmask_launcher PRIVATE UNMASK_LOADER="${loader}")
set_target_properties(unmask_launcher PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_link_options(unmask_launcher PRIVATE -static-pie -s)
install(PROGRAMS $<TARGET_FILE:unmask_launcher> DESTINATION bin RENAME unmask COMPONENT portable
  EXCLUDE_FROM_ALL)
install(TARGETS unmask_cli RUNTIME_DEPENDENCY_SET bundled RUNTIME DESTINATION lib/unmask
  COMPONENT portable EXCLUDE_FROM_ALL)
# The loader among them is a program, so all are what they are on other systems: executable.
install(RUNTIME_DEPENDENCY_SET bundled DESTINATION lib/unmask COMPONENT portable EXCLUDE_FROM_ALL
  PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

add_custom_target(deliverables
  DEPENDS ${delivered} libunmask_static unmask_launcher description materials)

# Debian packages.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME unmask)
set(CPACK_PACKAGE_CONTACT "The maintainers of unmask <maintainers@unmask.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR})
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_COMPONENTS_ALL program data library dev)
set(CPACK_DEBIAN_UNMASK_PACKAGE_NAME unmask)
set(CPACK_DEBIAN_UNMASK_PACKAGE_SECTION science)
set(CPACK_DEBIAN_UNMASK_DESCRIPTION "${PROJECT_DESCRIPTION}
 The program unmask and the library libunmask, which run LLaDA, Dream and related models on processors.")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libunmask-dev)
set(CPACK_DEBIAN_DEV_DESCRIPTION "${PROJECT_DESCRIPTION} (to compile with)
 Headers in C++ and C, the static library, and what CMake and pkg-config want to know.")
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "unmask (= ${PROJECT_VERSION}), libfmt-dev, libpcre2-dev, libutf8proc-dev")
install(FILES cmake/copyright LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/unmask COMPONENT data)
install(FILES cmake/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libunmask-dev COMPONENT dev)
if(TARGET unmask_python)
  list(APPEND CPACK_COMPONENTS_ALL python)
  get_property(python GLOBAL PROPERTY UNMASK_PYTHON_DEPENDS)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-unmask)
  set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
  set(CPACK_DEBIAN_PYTHON_DESCRIPTION "${PROJECT_DESCRIPTION} (Python)
 The Python package unmask: streams of steps as numpy arrays, batches, holes, scores, decisions.")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS
    "unmask (= ${PROJECT_VERSION}), ${python}, python3-numpy")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/tools/package/python/postinst ${PROJECT_SOURCE_DIR}/tools/package/python/prerm)
  install(FILES cmake/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/python3-unmask COMPONENT python)
endif()
include(CPack)
cpack_add_component_group(unmask)
cpack_add_component(program GROUP unmask)
cpack_add_component(data GROUP unmask)
cpack_add_component(library GROUP unmask)
