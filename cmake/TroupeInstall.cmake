# Makes `cmake --install` give a package that another project finds with find_package(troupe).
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/troupe")
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/troupeConfig.cmake.in" "${PROJECT_BINARY_DIR}/troupeConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/troupeConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(EXPORT troupe-targets NAMESPACE troupe:: DESTINATION "${package_dir}")
install(FILES "${PROJECT_BINARY_DIR}/troupeConfig.cmake" "${PROJECT_BINARY_DIR}/troupeConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/TroupeProtobuf.cmake" "${CMAKE_CURRENT_LIST_DIR}/TroupeTorch.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/FindCAF.cmake" "${CMAKE_CURRENT_LIST_DIR}/FindISAL.cmake"
        DESTINATION "${package_dir}")
