{
  # tflite_dir: the installed tfjs-tflite-node; tflite_arch: its name for this processor. build.mjs gives both.
  'targets': [{
    'target_name': 'xnnpack_delegate',
    'sources': ['xnnpack-delegate.c'],
    'include_dirs': ['<(tflite_dir)/cc_deps/include'],
    'cflags': ['-std=c11', '-Wall', '-Wextra', '-fvisibility=hidden'],
    # The same library that the package's addon has loaded by the time this one is: matched by its soname.
    'libraries': [
      '<(tflite_dir)/cc_deps/linux_<(tflite_arch)/libtensorflowlite_c.so',
      '-Wl,-rpath,<(tflite_dir)/cc_deps/linux_<(tflite_arch)',
    ],
  }, {
    'target_name': 'socket_wait',
    'sources': ['socket-wait.c'],
    'cflags': ['-std=c11', '-Wall', '-Wextra', '-fvisibility=hidden'],
  }],
}
