// Functions whose call-frame rows are known by hand, and functions that have none.
        .text

// void known_rsp(void (*f)(void)): frame without RBP as a frame pointer; RBX and RBP saved.
        .globl known_rsp, known_rsp_return, known_rsp_end
        .type known_rsp, @function
known_rsp:
        .cfi_startproc
        pushq %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        movq $0x1234567, %rbp
        subq $40, %rsp
        .cfi_adjust_cfa_offset 40
        call *%rdi
known_rsp_return:
        addq $40, %rsp
        .cfi_adjust_cfa_offset -40
        popq %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbp
        ret
        .cfi_endproc
known_rsp_end:
        .size known_rsp, .-known_rsp

// void known_rbp(void (*f)(void)): the usual frame pointer.
        .globl known_rbp, known_rbp_return
        .type known_rbp, @function
known_rbp:
        .cfi_startproc
        pushq %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq %rsp, %rbp
        .cfi_def_cfa_register %rbp
        subq $112, %rsp
        call *%rdi
known_rbp_return:
        leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size known_rbp, .-known_rbp

// void known_drap(void (*f)(void)): a realigned frame as GCC writes it: CFA = the word at RBP - 8, RBP at RBP.
        .globl known_drap, known_drap_return
        .type known_drap, @function
known_drap:
        .cfi_startproc
        leaq 8(%rsp), %r10
        .cfi_def_cfa %r10, 0
        andq $-64, %rsp
        pushq -8(%r10)
        pushq %rbp
        movq %rsp, %rbp
        .cfi_escape 0x10, 0x6, 0x2, 0x76, 0x0
        pushq %r10
        .cfi_escape 0xf, 0x3, 0x76, 0x78, 0x6
        subq $72, %rsp
        call *%rdi
known_drap_return:
        addq $72, %rsp
        popq %r10
        .cfi_def_cfa %r10, 0
        popq %rbp
        leaq -8(%r10), %rsp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size known_drap, .-known_drap

// void known_rbx(void (*f)(void)): CFA by RBX, which compact rows do not follow.
        .globl known_rbx, known_rbx_return
        .type known_rbx, @function
known_rbx:
        .cfi_startproc
        pushq %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        movq %rsp, %rbx
        .cfi_def_cfa_register %rbx
        andq $-64, %rsp
        subq $192, %rsp
        call *%rdi
known_rbx_return:
        movq %rbx, %rsp
        .cfi_def_cfa_register %rsp
        popq %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        ret
        .cfi_endproc
        .size known_rbx, .-known_rbx

// void known_r12(void (*f)(void)): return address and CFA found through R12 and an expression.
        .globl known_r12
        .type known_r12, @function
known_r12:
        .cfi_startproc
        pushq %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        leaq 16(%rsp), %r12
        // DW_CFA_def_cfa_expression: breg12 -32, plus_uconst 32
        .cfi_escape 0x0f, 4, 0x7c, 0x60, 0x23, 0x20
        subq $64, %rsp
        call *%rdi
        leaq -16(%r12), %rsp
        .cfi_def_cfa %rsp, 16
        popq %r12
        .cfi_def_cfa_offset 8
        .cfi_restore %r12
        ret
        .cfi_endproc
        .size known_r12, .-known_r12

// void known_root(void (*f)(void)): says that nobody called it.
        .globl known_root
        .type known_root, @function
known_root:
        .cfi_startproc
        .cfi_undefined %rip
        subq $8, %rsp
        call *%rdi
        addq $8, %rsp
        ret
        .cfi_endproc
        .size known_root, .-known_root

// void on_other_stack(void* top, void (*f)(void)): runs f on another stack; the CFA stays on the old one, by RBP.
        .globl on_other_stack
        .type on_other_stack, @function
on_other_stack:
        .cfi_startproc
        pushq %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq %rsp, %rbp
        .cfi_def_cfa_register %rbp
        movq %rdi, %rsp
        call *%rsi
        movq %rbp, %rsp
        popq %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size on_other_stack, .-on_other_stack

// void uncovered_with_rbp(void (*f)(void), uintptr_t rbp): no call-frame information; calls f with that RBP.
        .globl uncovered_with_rbp
        .type uncovered_with_rbp, @function
uncovered_with_rbp:
        pushq %rbp
        movq %rsi, %rbp
        call *%rdi
        popq %rbp
        ret
        .size uncovered_with_rbp, .-uncovered_with_rbp

// void uncovered_frame(void (*f)(void)): no call-frame information, but a frame pointer, as just-in-time code has.
        .globl uncovered_frame, uncovered_frame_end
        .type uncovered_frame, @function
uncovered_frame:
        pushq %rbp
        movq %rsp, %rbp
        call *%rdi
        popq %rbp
        ret
uncovered_frame_end:
        .size uncovered_frame, .-uncovered_frame

// void spin_known(volatile int* stop): every prologue, epilogue and red-zone state again and again, for signals that
// come at any instruction.
        .globl spin_known, spin_known_end
        .type spin_known, @function
spin_known:
        .cfi_startproc
        pushq %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        movq %rdi, %r13
1:      call spin_drap
        call spin_leaf
        cmpl $0, (%r13)
        je 1b
        popq %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        ret
        .cfi_endproc
spin_known_end:
        .size spin_known, .-spin_known

        .type spin_leaf, @function
spin_leaf:
        .cfi_startproc
        movq %rax, -16(%rsp)
        pushq %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq $77, %rbp
        nop
        popq %rbp
        .cfi_def_cfa_offset 8
        nop
        ret
        .cfi_endproc
        .size spin_leaf, .-spin_leaf

        .type spin_drap, @function
spin_drap:
        .cfi_startproc
        leaq 8(%rsp), %r10
        .cfi_def_cfa %r10, 0
        andq $-64, %rsp
        pushq -8(%r10)
        pushq %rbp
        movq %rsp, %rbp
        .cfi_escape 0x10, 0x6, 0x2, 0x76, 0x0
        pushq %r10
        .cfi_escape 0xf, 0x3, 0x76, 0x78, 0x6
        nop
        popq %r10
        .cfi_def_cfa %r10, 0
        popq %rbp
        .cfi_restore %rbp
        leaq -8(%r10), %rsp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size spin_drap, .-spin_drap

        .section .note.GNU-stack, "", @progbits
