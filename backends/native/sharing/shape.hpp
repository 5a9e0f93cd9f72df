// What is the same for all layers of shares, as launching/shares_from_numpy.py describes it, and what each layer has.

struct SharingShape {
  int32_t experts;
  int32_t slots;
  int32_t gpus;
  int32_t rounds;
  int32_t are_integers;  // loads, else they are floats
  int32_t index_bytes;   // of an index, 4 or 8

  int32_t capacity() const { return slots / gpus; }

  // algorithms/sharing/prepared.py: the most replicas that experts of several have.
  int32_t linked() const { return std::min(slots, std::max(2 * (slots - experts), 1)); }

  // How many pairs they may be, each holder with each other one of its expert.
  int64_t most_pairs() const { return int64_t{linked()} * (std::min(gpus, linked()) - 1) / 2 + 1; }

  // First-fit: an expert steps over those before it, none of which is wider than it has holders, and is no wider itself.
  int32_t most_colours() const { return 3 * linked(); }

  static constexpr int32_t kMostSlots = 1 << 20, kMostRounds = 1 << 20;
  static constexpr int64_t kMostPairs = 1 << 24;       // that may meet
  static constexpr int64_t kMostNeighbours = 1 << 26;  // pairs of slots of a GPU

  // Whether nothing is read or written beyond its end, whatever the arrays hold.
  bool fits() const {
    return experts > 0 && gpus > 0 && slots >= experts && slots <= kMostSlots && slots % gpus == 0 && rounds >= 0 &&
           rounds <= kMostRounds && most_pairs() <= kMostPairs && int64_t{slots} * capacity() <= kMostNeighbours &&
           (index_bytes == 4 || index_bytes == 8);
  }
};

// What shares need to know of a plan, or of one layer of it.
template <typename Integer>
struct PreparedArrays {
  Integer* expert;   // [slots]
  Integer* place;    // [linked]
  Integer* first;    // [experts]
  Integer* holders;  // [experts]
  Integer* colour;   // [experts]
  Integer* start;    // [experts]
  Integer* size;     // of a layer

  PreparedArrays of_layer(int64_t layer, const SharingShape& shape) const {
    const int64_t experts = layer * shape.experts;
    return {expert + layer * shape.slots, place + layer * shape.linked(), first + experts, holders + experts,
            colour + experts,             start + experts,                size + layer};
  }
};

// Shares of all layers, or of one.
template <typename Index>
struct SharesArrays {
  Index* share;        // [slots]
  Index* gpu_load;     // [gpus]
  Index* busiest;      // of a layer
  float* lower_bound;  // of a layer
  bool* proof;         // [gpus]
  float* gap;          // of a layer
  Index* rounds;       // of a layer

  SharesArrays of_layer(int64_t layer, const SharingShape& shape) const {
    const int64_t gpus = layer * shape.gpus;
    return {share + layer * shape.slots, gpu_load + gpus, busiest + layer, lower_bound + layer,
            proof + gpus,                gap + layer,     rounds + layer};
  }
};

// What is to be shared: all of it, loads and tolerances of all layers.
template <typename Index>
struct Batch {
  const Index* phy2log;  // [slots], or none where it is prepared
  PreparedArrays<const Index> prepared;
  const float* tolerance;  // of a layer
  Values weight;           // [experts] indices or float32
  SharesArrays<Index> found;
};
