// Scratch memory of one thread, taken once for a call: arrays one after the other, each on cache lines of its own.

class Memory {
 public:
  // Without a base nothing may be written: it is measured how much there must be.
  explicit Memory(void* base) : at_(reinterpret_cast<uintptr_t>(base)), begin_(at_) {}

  bool is_real() const { return begin_ != 0; }

  template <typename T>
  T* take(int64_t number) {
    T* array = reinterpret_cast<T*>(at_);
    at_ += (static_cast<size_t>(number) * sizeof(T) + 2 * kLine - 1) / kLine * kLine;
    return array;
  }

  size_t taken() const { return at_ - begin_; }

  static constexpr size_t kLine = 64;

 private:
  uintptr_t at_, begin_;
};
