#include "native/unwind/expression.h"

#include "native/unwind/byte_reader.h"
#include "native/unwind/stack_window.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_values = 8;
constexpr uint32_t most_steps = 256;

// Where registers and memory come from.
class SymbolicMachine {
  public:
    explicit SymbolicMachine(uintptr_t pc) : pc_(pc) {}

    bool read_register(uint64_t number, ExpressionValue* value) const {
        if (number == stack_pointer || number == frame_pointer) {
            *value = {0, number == stack_pointer ? Base::sp : Base::fp};
        } else {
            *value = {pc_, Base::number};
        }
        return number == stack_pointer || number == frame_pointer || number == program_counter;
    }

    bool read_memory(ExpressionValue* value) const {
        const bool possible = value->base == Base::fp;
        value->base = Base::word_at_fp;
        return possible;
    }

  private:
    uintptr_t pc_;
};

class ExactMachine {
  public:
    ExactMachine(const RegisterFile& registers, StackWindow& window) : registers_(registers), window_(window) {}

    bool read_register(uint64_t number, ExpressionValue* value) const {
        if (!registers_.has(number)) {
            return false;
        }
        *value = {registers_.value[number], Base::number};
        return true;
    }

    bool read_memory(ExpressionValue* value) const {
        if (!window_.readable(value->number)) {
            return false;
        }
        value->number = *reinterpret_cast<const uintptr_t*>(value->number);
        return true;
    }

  private:
    const RegisterFile& registers_;
    StackWindow& window_;
};

template <typename Machine>
class Evaluator {
  public:
    Evaluator(const Machine& machine, ByteReader reader) : machine_(machine), reader_(reader) {}

    void push(uint64_t number, Base base = Base::number) {
        if (depth_ == most_values) {
            failed_ = true;
            return;
        }
        values_[depth_++] = {number, base};
    }

    bool run(ExpressionValue* result) {
        for (uint32_t i = 0; i < most_steps && !reader_.done() && !failed_; ++i) {
            step(reader_.read<uint8_t>());
        }
        *result = pop();
        return reader_.ok() && reader_.done() && !failed_;
    }

  private:
    ExpressionValue pop() {
        if (depth_ == 0) {
            failed_ = true;
            return {};
        }
        return values_[--depth_];
    }

    uint64_t pop_number() {
        const ExpressionValue value = pop();
        failed_ |= value.base != Base::number;
        return value.number;
    }

    void push_register(uint64_t number, int64_t offset) {
        ExpressionValue value{};
        failed_ |= !machine_.read_register(number, &value);
        push(value.number + static_cast<uint64_t>(offset), value.base);
    }

    void step(uint8_t code) {
        if (code >= 0x30 && code <= 0x4F) {  // DW_OP_lit
            push(code - 0x30);
        } else if (code >= 0x70 && code <= 0x8F) {  // DW_OP_breg
            push_register(code - 0x70, reader_.signed_leb());
        } else if (code >= 0x08 && code <= 0x11) {
            push_constant(code);
        } else if (code >= 0x19 && code <= 0x2E) {
            compute(code);
        } else {
            rest(code);
        }
    }

    void push_constant(uint8_t code) {
        switch (code) {
            case 0x08:
                return push(reader_.read<uint8_t>());
            case 0x09:
                return push(static_cast<uint64_t>(int64_t{reader_.read<int8_t>()}));
            case 0x0A:
                return push(reader_.read<uint16_t>());
            case 0x0B:
                return push(static_cast<uint64_t>(int64_t{reader_.read<int16_t>()}));
            case 0x0C:
                return push(reader_.read<uint32_t>());
            case 0x0D:
                return push(static_cast<uint64_t>(int64_t{reader_.read<int32_t>()}));
            case 0x10:
                return push(reader_.unsigned_leb());
            case 0x11:
                return push(static_cast<uint64_t>(reader_.signed_leb()));
            default:
                return push(reader_.read<uint64_t>());
        }
    }

    void compute(uint8_t code) {
        if (code == 0x22 || code == 0x23 || code == 0x1C) {
            return add(code);
        }
        if (code == 0x19 || code == 0x1F || code == 0x20) {  // abs, neg, not
            const uint64_t value = pop_number();
            const bool negate = code == 0x1F || (code == 0x19 && static_cast<int64_t>(value) < 0);
            return push(code == 0x20 ? ~value : negate ? 0 - value : value);
        }
        const uint64_t right = pop_number();
        const uint64_t left = pop_number();
        const auto signed_left = static_cast<int64_t>(left);
        const auto signed_right = static_cast<int64_t>(right);
        switch (code) {
            case 0x1A:
                return push(left & right);
            case 0x1E:
                return push(left * right);
            case 0x21:
                return push(left | right);
            case 0x24:
                return push(right < 64 ? left << right : 0);
            case 0x25:
                return push(right < 64 ? left >> right : 0);
            case 0x26:
                return push(static_cast<uint64_t>(signed_left >> (right < 64 ? right : 63)));
            case 0x27:
                return push(left ^ right);
            case 0x29:
                return push(left == right);
            case 0x2A:
                return push(signed_left >= signed_right);
            case 0x2B:
                return push(signed_left > signed_right);
            case 0x2C:
                return push(signed_left <= signed_right);
            case 0x2D:
                return push(signed_left < signed_right);
            case 0x2E:
                return push(left != right);
            default:
                failed_ = true;
        }
    }

    // plus, plus_uconst, minus: a register may stand on the left.
    void add(uint8_t code) {
        if (code == 0x23) {
            const ExpressionValue value = pop();
            failed_ |= value.base == Base::word_at_fp;
            return push(value.number + reader_.unsigned_leb(), value.base);
        }
        const ExpressionValue right = pop();
        const ExpressionValue left = pop();
        const bool right_moves = right.base != Base::number;
        failed_ |= left.base == Base::word_at_fp || right.base == Base::word_at_fp;
        failed_ |= right_moves && (code == 0x1C || left.base != Base::number);
        push(code == 0x22 ? left.number + right.number : left.number - right.number,
             right_moves ? right.base : left.base);
    }

    void rest(uint8_t code) {
        switch (code) {
            case 0x06: {  // deref
                ExpressionValue value = pop();
                failed_ = failed_ || !machine_.read_memory(&value);
                return push(value.number, value.base);
            }
            case 0x12: {  // dup
                const ExpressionValue value = pop();
                push(value.number, value.base);
                return push(value.number, value.base);
            }
            case 0x13:  // drop
                pop();
                return;
            case 0x16: {  // swap
                const ExpressionValue top = pop();
                const ExpressionValue below = pop();
                push(top.number, top.base);
                return push(below.number, below.base);
            }
            case 0x92: {  // bregx
                const uint64_t number = reader_.unsigned_leb();
                return push_register(number, reader_.signed_leb());
            }
            case 0x96:  // nop
                return;
            default:
                failed_ = true;
        }
    }

    const Machine& machine_;
    ByteReader reader_;
    uint32_t depth_ = 0;
    bool failed_ = false;
    ExpressionValue values_[most_values];
};

// The expression's own bytes: its length stands first.
ByteReader body(uintptr_t at, uintptr_t limit) {
    ByteReader reader(at, limit);
    const uint64_t length = reader.unsigned_leb();
    if (!reader.ok() || limit - reader.at() < length) {
        return ByteReader(1, 0);
    }
    return ByteReader(reader.at(), reader.at() + length);
}

}  // namespace

bool evaluate_symbolically(uintptr_t at, uintptr_t limit, uintptr_t pc, ExpressionValue* value) {
    const SymbolicMachine machine(pc);
    return Evaluator<SymbolicMachine>(machine, body(at, limit)).run(value);
}

bool evaluate(uintptr_t at, uintptr_t limit, const RegisterFile& registers, StackWindow& window, bool push_first,
              uintptr_t first, uintptr_t* value) {
    const ExactMachine machine(registers, window);
    Evaluator<ExactMachine> evaluator(machine, body(at, limit));
    if (push_first) {
        evaluator.push(first);
    }
    ExpressionValue result{};
    const bool good = evaluator.run(&result);
    *value = result.number;
    return good;
}

}  // namespace nh::unwind
