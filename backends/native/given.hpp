// What Python gives a call, in this order: buffers that are read, buffers that are written, integers.

template <int kRead, int kWritten, int kIntegers>
class Given {
 public:
  Given() = default;
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;

  ~Given() {
    for (Py_buffer& each : buffer_)
      if (each.obj) PyBuffer_Release(&each);
  }

  // Take them all, or raise what is wrong; they are given back at the end.
  bool take(PyObject* const* all, Py_ssize_t number) {
    if (number != kRead + kWritten + kIntegers) {
      PyErr_Format(PyExc_TypeError, "expected %d arguments, got %zd", kRead + kWritten + kIntegers, number);
      return false;
    }
    for (Py_buffer& each : buffer_) {
      const bool is_written = &each - buffer_ >= kRead;
      if (PyObject_GetBuffer(*all++, &each, is_written ? PyBUF_WRITABLE : PyBUF_SIMPLE)) return false;
    }
    for (int& each : integer_) {
      const long value = PyLong_AsLong(*all++);
      if (value == -1 && PyErr_Occurred()) return false;
      each = static_cast<int>(std::clamp<long>(value, INT32_MIN, INT32_MAX));
    }
    return true;
  }

  std::array<Values, kRead + kWritten> buffers() const {
    std::array<Values, kRead + kWritten> all;
    for (size_t i = 0; i < all.size(); ++i) all[i] = {buffer_[i].buf, buffer_[i].len};
    return all;
  }

  const std::array<int, kIntegers>& integers() const { return integer_; }

 private:
  Py_buffer buffer_[kRead + kWritten]{};
  std::array<int, kIntegers> integer_{};
};
