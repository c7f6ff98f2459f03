//! The rows of V and of the extensions of vectors, in the form of [`super::table`] (unprivileged
//! manual, chapters "V" and "Cryptography Extensions: Vector Instructions").
//!
//! Register fields are those of other formats: `vd`, and `vs3` of stores, in `rd`; `vs1` in `rs1`;
//! `vs2` in `rs2`. Bit 25, `vm`, is 1 for an unmasked instruction.

/// Hands the rows of the first block and those of vectors to the macro `$m`, in one piece.
macro_rules! for_each_vector_insn { ($m:ident { $($row:tt)* }) => { $m! {
    $($row)*

    // Configuration.
    Vsetvli        "vsetvli"           V        Vsetvli       "0 ........... ..... 111 ..... 1010111";
    Vsetivli       "vsetivli"          V        Vsetivli      "11 .......... ..... 111 ..... 1010111";
    Vsetvl         "vsetvl"            V        R             "1000000 ..... ..... 111 ..... 1010111";

    // Unit-stride accesses. Segments are an operand: bits 31:29 hold the number of fields less one.
    Vle8V          "vle8.v"            V        VecMem        "...000 . 00000 ..... 000 ..... 0000111";
    Vle16V         "vle16.v"           V        VecMem        "...000 . 00000 ..... 101 ..... 0000111";
    Vle32V         "vle32.v"           V        VecMem        "...000 . 00000 ..... 110 ..... 0000111";
    Vle64V         "vle64.v"           V        VecMem        "...000 . 00000 ..... 111 ..... 0000111";
    Vse8V          "vse8.v"            V        VecMem        "...000 . 00000 ..... 000 ..... 0100111";
    Vse16V         "vse16.v"           V        VecMem        "...000 . 00000 ..... 101 ..... 0100111";
    Vse32V         "vse32.v"           V        VecMem        "...000 . 00000 ..... 110 ..... 0100111";
    Vse64V         "vse64.v"           V        VecMem        "...000 . 00000 ..... 111 ..... 0100111";
    Vle8ffV        "vle8ff.v"          V        VecMem        "...000 . 10000 ..... 000 ..... 0000111";
    Vle16ffV       "vle16ff.v"         V        VecMem        "...000 . 10000 ..... 101 ..... 0000111";
    Vle32ffV       "vle32ff.v"         V        VecMem        "...000 . 10000 ..... 110 ..... 0000111";
    Vle64ffV       "vle64ff.v"         V        VecMem        "...000 . 10000 ..... 111 ..... 0000111";
    VlmV           "vlm.v"             V        VecMem        "000000 1 01011 ..... 000 ..... 0000111";
    VsmV           "vsm.v"             V        VecMem        "000000 1 01011 ..... 000 ..... 0100111";

    // Strided accesses.
    Vlse8V         "vlse8.v"           V        VecMemStrided "...010 . ..... ..... 000 ..... 0000111";
    Vlse16V        "vlse16.v"          V        VecMemStrided "...010 . ..... ..... 101 ..... 0000111";
    Vlse32V        "vlse32.v"          V        VecMemStrided "...010 . ..... ..... 110 ..... 0000111";
    Vlse64V        "vlse64.v"          V        VecMemStrided "...010 . ..... ..... 111 ..... 0000111";
    Vsse8V         "vsse8.v"           V        VecMemStrided "...010 . ..... ..... 000 ..... 0100111";
    Vsse16V        "vsse16.v"          V        VecMemStrided "...010 . ..... ..... 101 ..... 0100111";
    Vsse32V        "vsse32.v"          V        VecMemStrided "...010 . ..... ..... 110 ..... 0100111";
    Vsse64V        "vsse64.v"          V        VecMemStrided "...010 . ..... ..... 111 ..... 0100111";

    // Indexed accesses, unordered and ordered.
    Vluxei8V       "vluxei8.v"         V        VecMemIndexed "...001 . ..... ..... 000 ..... 0000111";
    Vluxei16V      "vluxei16.v"        V        VecMemIndexed "...001 . ..... ..... 101 ..... 0000111";
    Vluxei32V      "vluxei32.v"        V        VecMemIndexed "...001 . ..... ..... 110 ..... 0000111";
    Vluxei64V      "vluxei64.v"        V        VecMemIndexed "...001 . ..... ..... 111 ..... 0000111";
    Vloxei8V       "vloxei8.v"         V        VecMemIndexed "...011 . ..... ..... 000 ..... 0000111";
    Vloxei16V      "vloxei16.v"        V        VecMemIndexed "...011 . ..... ..... 101 ..... 0000111";
    Vloxei32V      "vloxei32.v"        V        VecMemIndexed "...011 . ..... ..... 110 ..... 0000111";
    Vloxei64V      "vloxei64.v"        V        VecMemIndexed "...011 . ..... ..... 111 ..... 0000111";
    Vsuxei8V       "vsuxei8.v"         V        VecMemIndexed "...001 . ..... ..... 000 ..... 0100111";
    Vsuxei16V      "vsuxei16.v"        V        VecMemIndexed "...001 . ..... ..... 101 ..... 0100111";
    Vsuxei32V      "vsuxei32.v"        V        VecMemIndexed "...001 . ..... ..... 110 ..... 0100111";
    Vsuxei64V      "vsuxei64.v"        V        VecMemIndexed "...001 . ..... ..... 111 ..... 0100111";
    Vsoxei8V       "vsoxei8.v"         V        VecMemIndexed "...011 . ..... ..... 000 ..... 0100111";
    Vsoxei16V      "vsoxei16.v"        V        VecMemIndexed "...011 . ..... ..... 101 ..... 0100111";
    Vsoxei32V      "vsoxei32.v"        V        VecMemIndexed "...011 . ..... ..... 110 ..... 0100111";
    Vsoxei64V      "vsoxei64.v"        V        VecMemIndexed "...011 . ..... ..... 111 ..... 0100111";

    // Whole registers.
    Vl1re8V        "vl1re8.v"          V        VecMem        "000000 1 01000 ..... 000 ..... 0000111";
    Vl1re16V       "vl1re16.v"         V        VecMem        "000000 1 01000 ..... 101 ..... 0000111";
    Vl1re32V       "vl1re32.v"         V        VecMem        "000000 1 01000 ..... 110 ..... 0000111";
    Vl1re64V       "vl1re64.v"         V        VecMem        "000000 1 01000 ..... 111 ..... 0000111";
    Vl2re8V        "vl2re8.v"          V        VecMem        "001000 1 01000 ..... 000 ..... 0000111";
    Vl2re16V       "vl2re16.v"         V        VecMem        "001000 1 01000 ..... 101 ..... 0000111";
    Vl2re32V       "vl2re32.v"         V        VecMem        "001000 1 01000 ..... 110 ..... 0000111";
    Vl2re64V       "vl2re64.v"         V        VecMem        "001000 1 01000 ..... 111 ..... 0000111";
    Vl4re8V        "vl4re8.v"          V        VecMem        "011000 1 01000 ..... 000 ..... 0000111";
    Vl4re16V       "vl4re16.v"         V        VecMem        "011000 1 01000 ..... 101 ..... 0000111";
    Vl4re32V       "vl4re32.v"         V        VecMem        "011000 1 01000 ..... 110 ..... 0000111";
    Vl4re64V       "vl4re64.v"         V        VecMem        "011000 1 01000 ..... 111 ..... 0000111";
    Vl8re8V        "vl8re8.v"          V        VecMem        "111000 1 01000 ..... 000 ..... 0000111";
    Vl8re16V       "vl8re16.v"         V        VecMem        "111000 1 01000 ..... 101 ..... 0000111";
    Vl8re32V       "vl8re32.v"         V        VecMem        "111000 1 01000 ..... 110 ..... 0000111";
    Vl8re64V       "vl8re64.v"         V        VecMem        "111000 1 01000 ..... 111 ..... 0000111";
    Vs1rV          "vs1r.v"            V        VecMem        "000000 1 01000 ..... 000 ..... 0100111";
    Vs2rV          "vs2r.v"            V        VecMem        "001000 1 01000 ..... 000 ..... 0100111";
    Vs4rV          "vs4r.v"            V        VecMem        "011000 1 01000 ..... 000 ..... 0100111";
    Vs8rV          "vs8r.v"            V        VecMem        "111000 1 01000 ..... 000 ..... 0100111";

    // Integer arithmetic: additions, widening ones, extensions.
    VaddVv         "vadd.vv"           V        VecVv         "000000. ..... ..... 000 ..... 1010111";
    VaddVx         "vadd.vx"           V        VecVx         "000000. ..... ..... 100 ..... 1010111";
    VaddVi         "vadd.vi"           V        VecVi         "000000. ..... ..... 011 ..... 1010111";
    VsubVv         "vsub.vv"           V        VecVv         "000010. ..... ..... 000 ..... 1010111";
    VsubVx         "vsub.vx"           V        VecVx         "000010. ..... ..... 100 ..... 1010111";
    VrsubVx        "vrsub.vx"          V        VecVx         "000011. ..... ..... 100 ..... 1010111";
    VrsubVi        "vrsub.vi"          V        VecVi         "000011. ..... ..... 011 ..... 1010111";
    VwadduVv       "vwaddu.vv"         V        VecVv         "110000. ..... ..... 010 ..... 1010111";
    VwadduVx       "vwaddu.vx"         V        VecVx         "110000. ..... ..... 110 ..... 1010111";
    VwaddVv        "vwadd.vv"          V        VecVv         "110001. ..... ..... 010 ..... 1010111";
    VwaddVx        "vwadd.vx"          V        VecVx         "110001. ..... ..... 110 ..... 1010111";
    VwsubuVv       "vwsubu.vv"         V        VecVv         "110010. ..... ..... 010 ..... 1010111";
    VwsubuVx       "vwsubu.vx"         V        VecVx         "110010. ..... ..... 110 ..... 1010111";
    VwsubVv        "vwsub.vv"          V        VecVv         "110011. ..... ..... 010 ..... 1010111";
    VwsubVx        "vwsub.vx"          V        VecVx         "110011. ..... ..... 110 ..... 1010111";
    VwadduWv       "vwaddu.wv"         V        VecVv         "110100. ..... ..... 010 ..... 1010111";
    VwadduWx       "vwaddu.wx"         V        VecVx         "110100. ..... ..... 110 ..... 1010111";
    VwaddWv        "vwadd.wv"          V        VecVv         "110101. ..... ..... 010 ..... 1010111";
    VwaddWx        "vwadd.wx"          V        VecVx         "110101. ..... ..... 110 ..... 1010111";
    VwsubuWv       "vwsubu.wv"         V        VecVv         "110110. ..... ..... 010 ..... 1010111";
    VwsubuWx       "vwsubu.wx"         V        VecVx         "110110. ..... ..... 110 ..... 1010111";
    VwsubWv        "vwsub.wv"          V        VecVv         "110111. ..... ..... 010 ..... 1010111";
    VwsubWx        "vwsub.wx"          V        VecVx         "110111. ..... ..... 110 ..... 1010111";
    VzextVf8       "vzext.vf8"         V        VecUnary      "010010. ..... 00010 010 ..... 1010111";
    VsextVf8       "vsext.vf8"         V        VecUnary      "010010. ..... 00011 010 ..... 1010111";
    VzextVf4       "vzext.vf4"         V        VecUnary      "010010. ..... 00100 010 ..... 1010111";
    VsextVf4       "vsext.vf4"         V        VecUnary      "010010. ..... 00101 010 ..... 1010111";
    VzextVf2       "vzext.vf2"         V        VecUnary      "010010. ..... 00110 010 ..... 1010111";
    VsextVf2       "vsext.vf2"         V        VecUnary      "010010. ..... 00111 010 ..... 1010111";

    // Additions with carry and subtractions with borrow.
    VadcVvm        "vadc.vvm"          V        VecVvm        "0100000 ..... ..... 000 ..... 1010111";
    VadcVxm        "vadc.vxm"          V        VecVxm        "0100000 ..... ..... 100 ..... 1010111";
    VadcVim        "vadc.vim"          V        VecVim        "0100000 ..... ..... 011 ..... 1010111";
    VmadcVvm       "vmadc.vvm"         V        VecVvm        "0100010 ..... ..... 000 ..... 1010111";
    VmadcVxm       "vmadc.vxm"         V        VecVxm        "0100010 ..... ..... 100 ..... 1010111";
    VmadcVim       "vmadc.vim"         V        VecVim        "0100010 ..... ..... 011 ..... 1010111";
    VmadcVv        "vmadc.vv"          V        VecVv         "0100011 ..... ..... 000 ..... 1010111";
    VmadcVx        "vmadc.vx"          V        VecVx         "0100011 ..... ..... 100 ..... 1010111";
    VmadcVi        "vmadc.vi"          V        VecVi         "0100011 ..... ..... 011 ..... 1010111";
    VsbcVvm        "vsbc.vvm"          V        VecVvm        "0100100 ..... ..... 000 ..... 1010111";
    VsbcVxm        "vsbc.vxm"          V        VecVxm        "0100100 ..... ..... 100 ..... 1010111";
    VmsbcVvm       "vmsbc.vvm"         V        VecVvm        "0100110 ..... ..... 000 ..... 1010111";
    VmsbcVxm       "vmsbc.vxm"         V        VecVxm        "0100110 ..... ..... 100 ..... 1010111";
    VmsbcVv        "vmsbc.vv"          V        VecVv         "0100111 ..... ..... 000 ..... 1010111";
    VmsbcVx        "vmsbc.vx"          V        VecVx         "0100111 ..... ..... 100 ..... 1010111";

    // Logical operations and shifts.
    VandVv         "vand.vv"           V        VecVv         "001001. ..... ..... 000 ..... 1010111";
    VandVx         "vand.vx"           V        VecVx         "001001. ..... ..... 100 ..... 1010111";
    VandVi         "vand.vi"           V        VecVi         "001001. ..... ..... 011 ..... 1010111";
    VorVv          "vor.vv"            V        VecVv         "001010. ..... ..... 000 ..... 1010111";
    VorVx          "vor.vx"            V        VecVx         "001010. ..... ..... 100 ..... 1010111";
    VorVi          "vor.vi"            V        VecVi         "001010. ..... ..... 011 ..... 1010111";
    VxorVv         "vxor.vv"           V        VecVv         "001011. ..... ..... 000 ..... 1010111";
    VxorVx         "vxor.vx"           V        VecVx         "001011. ..... ..... 100 ..... 1010111";
    VxorVi         "vxor.vi"           V        VecVi         "001011. ..... ..... 011 ..... 1010111";
    VsllVv         "vsll.vv"           V        VecVv         "100101. ..... ..... 000 ..... 1010111";
    VsllVx         "vsll.vx"           V        VecVx         "100101. ..... ..... 100 ..... 1010111";
    VsllVi         "vsll.vi"           V        VecVu         "100101. ..... ..... 011 ..... 1010111";
    VsrlVv         "vsrl.vv"           V        VecVv         "101000. ..... ..... 000 ..... 1010111";
    VsrlVx         "vsrl.vx"           V        VecVx         "101000. ..... ..... 100 ..... 1010111";
    VsrlVi         "vsrl.vi"           V        VecVu         "101000. ..... ..... 011 ..... 1010111";
    VsraVv         "vsra.vv"           V        VecVv         "101001. ..... ..... 000 ..... 1010111";
    VsraVx         "vsra.vx"           V        VecVx         "101001. ..... ..... 100 ..... 1010111";
    VsraVi         "vsra.vi"           V        VecVu         "101001. ..... ..... 011 ..... 1010111";
    VnsrlWv        "vnsrl.wv"          V        VecVv         "101100. ..... ..... 000 ..... 1010111";
    VnsrlWx        "vnsrl.wx"          V        VecVx         "101100. ..... ..... 100 ..... 1010111";
    VnsrlWi        "vnsrl.wi"          V        VecVu         "101100. ..... ..... 011 ..... 1010111";
    VnsraWv        "vnsra.wv"          V        VecVv         "101101. ..... ..... 000 ..... 1010111";
    VnsraWx        "vnsra.wx"          V        VecVx         "101101. ..... ..... 100 ..... 1010111";
    VnsraWi        "vnsra.wi"          V        VecVu         "101101. ..... ..... 011 ..... 1010111";

    // Comparisons, minimum and maximum.
    VmseqVv        "vmseq.vv"          V        VecVv         "011000. ..... ..... 000 ..... 1010111";
    VmseqVx        "vmseq.vx"          V        VecVx         "011000. ..... ..... 100 ..... 1010111";
    VmseqVi        "vmseq.vi"          V        VecVi         "011000. ..... ..... 011 ..... 1010111";
    VmsneVv        "vmsne.vv"          V        VecVv         "011001. ..... ..... 000 ..... 1010111";
    VmsneVx        "vmsne.vx"          V        VecVx         "011001. ..... ..... 100 ..... 1010111";
    VmsneVi        "vmsne.vi"          V        VecVi         "011001. ..... ..... 011 ..... 1010111";
    VmsltuVv       "vmsltu.vv"         V        VecVv         "011010. ..... ..... 000 ..... 1010111";
    VmsltuVx       "vmsltu.vx"         V        VecVx         "011010. ..... ..... 100 ..... 1010111";
    VmsltVv        "vmslt.vv"          V        VecVv         "011011. ..... ..... 000 ..... 1010111";
    VmsltVx        "vmslt.vx"          V        VecVx         "011011. ..... ..... 100 ..... 1010111";
    VmsleuVv       "vmsleu.vv"         V        VecVv         "011100. ..... ..... 000 ..... 1010111";
    VmsleuVx       "vmsleu.vx"         V        VecVx         "011100. ..... ..... 100 ..... 1010111";
    VmsleuVi       "vmsleu.vi"         V        VecVi         "011100. ..... ..... 011 ..... 1010111";
    VmsleVv        "vmsle.vv"          V        VecVv         "011101. ..... ..... 000 ..... 1010111";
    VmsleVx        "vmsle.vx"          V        VecVx         "011101. ..... ..... 100 ..... 1010111";
    VmsleVi        "vmsle.vi"          V        VecVi         "011101. ..... ..... 011 ..... 1010111";
    VmsgtuVx       "vmsgtu.vx"         V        VecVx         "011110. ..... ..... 100 ..... 1010111";
    VmsgtuVi       "vmsgtu.vi"         V        VecVi         "011110. ..... ..... 011 ..... 1010111";
    VmsgtVx        "vmsgt.vx"          V        VecVx         "011111. ..... ..... 100 ..... 1010111";
    VmsgtVi        "vmsgt.vi"          V        VecVi         "011111. ..... ..... 011 ..... 1010111";
    VminuVv        "vminu.vv"          V        VecVv         "000100. ..... ..... 000 ..... 1010111";
    VminuVx        "vminu.vx"          V        VecVx         "000100. ..... ..... 100 ..... 1010111";
    VminVv         "vmin.vv"           V        VecVv         "000101. ..... ..... 000 ..... 1010111";
    VminVx         "vmin.vx"           V        VecVx         "000101. ..... ..... 100 ..... 1010111";
    VmaxuVv        "vmaxu.vv"          V        VecVv         "000110. ..... ..... 000 ..... 1010111";
    VmaxuVx        "vmaxu.vx"          V        VecVx         "000110. ..... ..... 100 ..... 1010111";
    VmaxVv         "vmax.vv"           V        VecVv         "000111. ..... ..... 000 ..... 1010111";
    VmaxVx         "vmax.vx"           V        VecVx         "000111. ..... ..... 100 ..... 1010111";

    // Multiplication and division.
    VmulVv         "vmul.vv"           V        VecVv         "100101. ..... ..... 010 ..... 1010111";
    VmulVx         "vmul.vx"           V        VecVx         "100101. ..... ..... 110 ..... 1010111";
    VmulhVv        "vmulh.vv"          V        VecVv         "100111. ..... ..... 010 ..... 1010111";
    VmulhVx        "vmulh.vx"          V        VecVx         "100111. ..... ..... 110 ..... 1010111";
    VmulhuVv       "vmulhu.vv"         V        VecVv         "100100. ..... ..... 010 ..... 1010111";
    VmulhuVx       "vmulhu.vx"         V        VecVx         "100100. ..... ..... 110 ..... 1010111";
    VmulhsuVv      "vmulhsu.vv"        V        VecVv         "100110. ..... ..... 010 ..... 1010111";
    VmulhsuVx      "vmulhsu.vx"        V        VecVx         "100110. ..... ..... 110 ..... 1010111";
    VdivuVv        "vdivu.vv"          V        VecVv         "100000. ..... ..... 010 ..... 1010111";
    VdivuVx        "vdivu.vx"          V        VecVx         "100000. ..... ..... 110 ..... 1010111";
    VdivVv         "vdiv.vv"           V        VecVv         "100001. ..... ..... 010 ..... 1010111";
    VdivVx         "vdiv.vx"           V        VecVx         "100001. ..... ..... 110 ..... 1010111";
    VremuVv        "vremu.vv"          V        VecVv         "100010. ..... ..... 010 ..... 1010111";
    VremuVx        "vremu.vx"          V        VecVx         "100010. ..... ..... 110 ..... 1010111";
    VremVv         "vrem.vv"           V        VecVv         "100011. ..... ..... 010 ..... 1010111";
    VremVx         "vrem.vx"           V        VecVx         "100011. ..... ..... 110 ..... 1010111";
    VwmulVv        "vwmul.vv"          V        VecVv         "111011. ..... ..... 010 ..... 1010111";
    VwmulVx        "vwmul.vx"          V        VecVx         "111011. ..... ..... 110 ..... 1010111";
    VwmuluVv       "vwmulu.vv"         V        VecVv         "111000. ..... ..... 010 ..... 1010111";
    VwmuluVx       "vwmulu.vx"         V        VecVx         "111000. ..... ..... 110 ..... 1010111";
    VwmulsuVv      "vwmulsu.vv"        V        VecVv         "111010. ..... ..... 010 ..... 1010111";
    VwmulsuVx      "vwmulsu.vx"        V        VecVx         "111010. ..... ..... 110 ..... 1010111";
    VmaccVv        "vmacc.vv"          V        VecMacVv      "101101. ..... ..... 010 ..... 1010111";
    VmaccVx        "vmacc.vx"          V        VecMacVx      "101101. ..... ..... 110 ..... 1010111";
    VnmsacVv       "vnmsac.vv"         V        VecMacVv      "101111. ..... ..... 010 ..... 1010111";
    VnmsacVx       "vnmsac.vx"         V        VecMacVx      "101111. ..... ..... 110 ..... 1010111";
    VmaddVv        "vmadd.vv"          V        VecMacVv      "101001. ..... ..... 010 ..... 1010111";
    VmaddVx        "vmadd.vx"          V        VecMacVx      "101001. ..... ..... 110 ..... 1010111";
    VnmsubVv       "vnmsub.vv"         V        VecMacVv      "101011. ..... ..... 010 ..... 1010111";
    VnmsubVx       "vnmsub.vx"         V        VecMacVx      "101011. ..... ..... 110 ..... 1010111";
    VwmaccuVv      "vwmaccu.vv"        V        VecMacVv      "111100. ..... ..... 010 ..... 1010111";
    VwmaccuVx      "vwmaccu.vx"        V        VecMacVx      "111100. ..... ..... 110 ..... 1010111";
    VwmaccVv       "vwmacc.vv"         V        VecMacVv      "111101. ..... ..... 010 ..... 1010111";
    VwmaccVx       "vwmacc.vx"         V        VecMacVx      "111101. ..... ..... 110 ..... 1010111";
    VwmaccsuVv     "vwmaccsu.vv"       V        VecMacVv      "111111. ..... ..... 010 ..... 1010111";
    VwmaccsuVx     "vwmaccsu.vx"       V        VecMacVx      "111111. ..... ..... 110 ..... 1010111";
    VwmaccusVx     "vwmaccus.vx"       V        VecMacVx      "111110. ..... ..... 110 ..... 1010111";

    // Merges and moves.
    VmergeVvm      "vmerge.vvm"        V        VecVvm        "0101110 ..... ..... 000 ..... 1010111";
    VmergeVxm      "vmerge.vxm"        V        VecVxm        "0101110 ..... ..... 100 ..... 1010111";
    VmergeVim      "vmerge.vim"        V        VecVim        "0101110 ..... ..... 011 ..... 1010111";
    VmvVV          "vmv.v.v"           V        VecMvV        "0101111 00000 ..... 000 ..... 1010111";
    VmvVX          "vmv.v.x"           V        VecMvX        "0101111 00000 ..... 100 ..... 1010111";
    VmvVI          "vmv.v.i"           V        VecMvI        "0101111 00000 ..... 011 ..... 1010111";

    // Fixed point.
    VsadduVv       "vsaddu.vv"         V        VecVv         "100000. ..... ..... 000 ..... 1010111";
    VsadduVx       "vsaddu.vx"         V        VecVx         "100000. ..... ..... 100 ..... 1010111";
    VsadduVi       "vsaddu.vi"         V        VecVi         "100000. ..... ..... 011 ..... 1010111";
    VsaddVv        "vsadd.vv"          V        VecVv         "100001. ..... ..... 000 ..... 1010111";
    VsaddVx        "vsadd.vx"          V        VecVx         "100001. ..... ..... 100 ..... 1010111";
    VsaddVi        "vsadd.vi"          V        VecVi         "100001. ..... ..... 011 ..... 1010111";
    VssubuVv       "vssubu.vv"         V        VecVv         "100010. ..... ..... 000 ..... 1010111";
    VssubuVx       "vssubu.vx"         V        VecVx         "100010. ..... ..... 100 ..... 1010111";
    VssubVv        "vssub.vv"          V        VecVv         "100011. ..... ..... 000 ..... 1010111";
    VssubVx        "vssub.vx"          V        VecVx         "100011. ..... ..... 100 ..... 1010111";
    VaadduVv       "vaaddu.vv"         V        VecVv         "001000. ..... ..... 010 ..... 1010111";
    VaadduVx       "vaaddu.vx"         V        VecVx         "001000. ..... ..... 110 ..... 1010111";
    VaaddVv        "vaadd.vv"          V        VecVv         "001001. ..... ..... 010 ..... 1010111";
    VaaddVx        "vaadd.vx"          V        VecVx         "001001. ..... ..... 110 ..... 1010111";
    VasubuVv       "vasubu.vv"         V        VecVv         "001010. ..... ..... 010 ..... 1010111";
    VasubuVx       "vasubu.vx"         V        VecVx         "001010. ..... ..... 110 ..... 1010111";
    VasubVv        "vasub.vv"          V        VecVv         "001011. ..... ..... 010 ..... 1010111";
    VasubVx        "vasub.vx"          V        VecVx         "001011. ..... ..... 110 ..... 1010111";
    VsmulVv        "vsmul.vv"          V        VecVv         "100111. ..... ..... 000 ..... 1010111";
    VsmulVx        "vsmul.vx"          V        VecVx         "100111. ..... ..... 100 ..... 1010111";
    VssrlVv        "vssrl.vv"          V        VecVv         "101010. ..... ..... 000 ..... 1010111";
    VssrlVx        "vssrl.vx"          V        VecVx         "101010. ..... ..... 100 ..... 1010111";
    VssrlVi        "vssrl.vi"          V        VecVu         "101010. ..... ..... 011 ..... 1010111";
    VssraVv        "vssra.vv"          V        VecVv         "101011. ..... ..... 000 ..... 1010111";
    VssraVx        "vssra.vx"          V        VecVx         "101011. ..... ..... 100 ..... 1010111";
    VssraVi        "vssra.vi"          V        VecVu         "101011. ..... ..... 011 ..... 1010111";
    VnclipuWv      "vnclipu.wv"        V        VecVv         "101110. ..... ..... 000 ..... 1010111";
    VnclipuWx      "vnclipu.wx"        V        VecVx         "101110. ..... ..... 100 ..... 1010111";
    VnclipuWi      "vnclipu.wi"        V        VecVu         "101110. ..... ..... 011 ..... 1010111";
    VnclipWv       "vnclip.wv"         V        VecVv         "101111. ..... ..... 000 ..... 1010111";
    VnclipWx       "vnclip.wx"         V        VecVx         "101111. ..... ..... 100 ..... 1010111";
    VnclipWi       "vnclip.wi"         V        VecVu         "101111. ..... ..... 011 ..... 1010111";

    // Floating point.
    VfaddVv        "vfadd.vv"          V        VecVv         "000000. ..... ..... 001 ..... 1010111";
    VfaddVf        "vfadd.vf"          V        VecVf         "000000. ..... ..... 101 ..... 1010111";
    VfsubVv        "vfsub.vv"          V        VecVv         "000010. ..... ..... 001 ..... 1010111";
    VfsubVf        "vfsub.vf"          V        VecVf         "000010. ..... ..... 101 ..... 1010111";
    VfrsubVf       "vfrsub.vf"         V        VecVf         "100111. ..... ..... 101 ..... 1010111";
    VfwaddVv       "vfwadd.vv"         V        VecVv         "110000. ..... ..... 001 ..... 1010111";
    VfwaddVf       "vfwadd.vf"         V        VecVf         "110000. ..... ..... 101 ..... 1010111";
    VfwsubVv       "vfwsub.vv"         V        VecVv         "110010. ..... ..... 001 ..... 1010111";
    VfwsubVf       "vfwsub.vf"         V        VecVf         "110010. ..... ..... 101 ..... 1010111";
    VfwaddWv       "vfwadd.wv"         V        VecVv         "110100. ..... ..... 001 ..... 1010111";
    VfwaddWf       "vfwadd.wf"         V        VecVf         "110100. ..... ..... 101 ..... 1010111";
    VfwsubWv       "vfwsub.wv"         V        VecVv         "110110. ..... ..... 001 ..... 1010111";
    VfwsubWf       "vfwsub.wf"         V        VecVf         "110110. ..... ..... 101 ..... 1010111";
    VfmulVv        "vfmul.vv"          V        VecVv         "100100. ..... ..... 001 ..... 1010111";
    VfmulVf        "vfmul.vf"          V        VecVf         "100100. ..... ..... 101 ..... 1010111";
    VfdivVv        "vfdiv.vv"          V        VecVv         "100000. ..... ..... 001 ..... 1010111";
    VfdivVf        "vfdiv.vf"          V        VecVf         "100000. ..... ..... 101 ..... 1010111";
    VfrdivVf       "vfrdiv.vf"         V        VecVf         "100001. ..... ..... 101 ..... 1010111";
    VfwmulVv       "vfwmul.vv"         V        VecVv         "111000. ..... ..... 001 ..... 1010111";
    VfwmulVf       "vfwmul.vf"         V        VecVf         "111000. ..... ..... 101 ..... 1010111";
    VfmaccVv       "vfmacc.vv"         V        VecMacVv      "101100. ..... ..... 001 ..... 1010111";
    VfmaccVf       "vfmacc.vf"         V        VecMacVf      "101100. ..... ..... 101 ..... 1010111";
    VfnmaccVv      "vfnmacc.vv"        V        VecMacVv      "101101. ..... ..... 001 ..... 1010111";
    VfnmaccVf      "vfnmacc.vf"        V        VecMacVf      "101101. ..... ..... 101 ..... 1010111";
    VfmsacVv       "vfmsac.vv"         V        VecMacVv      "101110. ..... ..... 001 ..... 1010111";
    VfmsacVf       "vfmsac.vf"         V        VecMacVf      "101110. ..... ..... 101 ..... 1010111";
    VfnmsacVv      "vfnmsac.vv"        V        VecMacVv      "101111. ..... ..... 001 ..... 1010111";
    VfnmsacVf      "vfnmsac.vf"        V        VecMacVf      "101111. ..... ..... 101 ..... 1010111";
    VfmaddVv       "vfmadd.vv"         V        VecMacVv      "101000. ..... ..... 001 ..... 1010111";
    VfmaddVf       "vfmadd.vf"         V        VecMacVf      "101000. ..... ..... 101 ..... 1010111";
    VfnmaddVv      "vfnmadd.vv"        V        VecMacVv      "101001. ..... ..... 001 ..... 1010111";
    VfnmaddVf      "vfnmadd.vf"        V        VecMacVf      "101001. ..... ..... 101 ..... 1010111";
    VfmsubVv       "vfmsub.vv"         V        VecMacVv      "101010. ..... ..... 001 ..... 1010111";
    VfmsubVf       "vfmsub.vf"         V        VecMacVf      "101010. ..... ..... 101 ..... 1010111";
    VfnmsubVv      "vfnmsub.vv"        V        VecMacVv      "101011. ..... ..... 001 ..... 1010111";
    VfnmsubVf      "vfnmsub.vf"        V        VecMacVf      "101011. ..... ..... 101 ..... 1010111";
    VfwmaccVv      "vfwmacc.vv"        V        VecMacVv      "111100. ..... ..... 001 ..... 1010111";
    VfwmaccVf      "vfwmacc.vf"        V        VecMacVf      "111100. ..... ..... 101 ..... 1010111";
    VfwnmaccVv     "vfwnmacc.vv"       V        VecMacVv      "111101. ..... ..... 001 ..... 1010111";
    VfwnmaccVf     "vfwnmacc.vf"       V        VecMacVf      "111101. ..... ..... 101 ..... 1010111";
    VfwmsacVv      "vfwmsac.vv"        V        VecMacVv      "111110. ..... ..... 001 ..... 1010111";
    VfwmsacVf      "vfwmsac.vf"        V        VecMacVf      "111110. ..... ..... 101 ..... 1010111";
    VfwnmsacVv     "vfwnmsac.vv"       V        VecMacVv      "111111. ..... ..... 001 ..... 1010111";
    VfwnmsacVf     "vfwnmsac.vf"       V        VecMacVf      "111111. ..... ..... 101 ..... 1010111";
    VfsqrtV        "vfsqrt.v"          V        VecUnary      "010011. ..... 00000 001 ..... 1010111";
    Vfrsqrt7V      "vfrsqrt7.v"        V        VecUnary      "010011. ..... 00100 001 ..... 1010111";
    Vfrec7V        "vfrec7.v"          V        VecUnary      "010011. ..... 00101 001 ..... 1010111";
    VfclassV       "vfclass.v"         V        VecUnary      "010011. ..... 10000 001 ..... 1010111";
    VfminVv        "vfmin.vv"          V        VecVv         "000100. ..... ..... 001 ..... 1010111";
    VfminVf        "vfmin.vf"          V        VecVf         "000100. ..... ..... 101 ..... 1010111";
    VfmaxVv        "vfmax.vv"          V        VecVv         "000110. ..... ..... 001 ..... 1010111";
    VfmaxVf        "vfmax.vf"          V        VecVf         "000110. ..... ..... 101 ..... 1010111";
    VfsgnjVv       "vfsgnj.vv"         V        VecVv         "001000. ..... ..... 001 ..... 1010111";
    VfsgnjVf       "vfsgnj.vf"         V        VecVf         "001000. ..... ..... 101 ..... 1010111";
    VfsgnjnVv      "vfsgnjn.vv"        V        VecVv         "001001. ..... ..... 001 ..... 1010111";
    VfsgnjnVf      "vfsgnjn.vf"        V        VecVf         "001001. ..... ..... 101 ..... 1010111";
    VfsgnjxVv      "vfsgnjx.vv"        V        VecVv         "001010. ..... ..... 001 ..... 1010111";
    VfsgnjxVf      "vfsgnjx.vf"        V        VecVf         "001010. ..... ..... 101 ..... 1010111";
    VmfeqVv        "vmfeq.vv"          V        VecVv         "011000. ..... ..... 001 ..... 1010111";
    VmfeqVf        "vmfeq.vf"          V        VecVf         "011000. ..... ..... 101 ..... 1010111";
    VmfneVv        "vmfne.vv"          V        VecVv         "011100. ..... ..... 001 ..... 1010111";
    VmfneVf        "vmfne.vf"          V        VecVf         "011100. ..... ..... 101 ..... 1010111";
    VmfltVv        "vmflt.vv"          V        VecVv         "011011. ..... ..... 001 ..... 1010111";
    VmfltVf        "vmflt.vf"          V        VecVf         "011011. ..... ..... 101 ..... 1010111";
    VmfleVv        "vmfle.vv"          V        VecVv         "011001. ..... ..... 001 ..... 1010111";
    VmfleVf        "vmfle.vf"          V        VecVf         "011001. ..... ..... 101 ..... 1010111";
    VmfgtVf        "vmfgt.vf"          V        VecVf         "011101. ..... ..... 101 ..... 1010111";
    VmfgeVf        "vmfge.vf"          V        VecVf         "011111. ..... ..... 101 ..... 1010111";
    VfmergeVfm     "vfmerge.vfm"       V        VecVfm        "0101110 ..... ..... 101 ..... 1010111";
    VfmvVF         "vfmv.v.f"          V        VecMvF        "0101111 00000 ..... 101 ..... 1010111";
    VfcvtXuFV      "vfcvt.xu.f.v"      V        VecUnary      "010010. ..... 00000 001 ..... 1010111";
    VfcvtXFV       "vfcvt.x.f.v"       V        VecUnary      "010010. ..... 00001 001 ..... 1010111";
    VfcvtRtzXuFV   "vfcvt.rtz.xu.f.v"  V        VecUnary      "010010. ..... 00110 001 ..... 1010111";
    VfcvtRtzXFV    "vfcvt.rtz.x.f.v"   V        VecUnary      "010010. ..... 00111 001 ..... 1010111";
    VfcvtFXuV      "vfcvt.f.xu.v"      V        VecUnary      "010010. ..... 00010 001 ..... 1010111";
    VfcvtFXV       "vfcvt.f.x.v"       V        VecUnary      "010010. ..... 00011 001 ..... 1010111";
    VfwcvtXuFV     "vfwcvt.xu.f.v"     V        VecUnary      "010010. ..... 01000 001 ..... 1010111";
    VfwcvtXFV      "vfwcvt.x.f.v"      V        VecUnary      "010010. ..... 01001 001 ..... 1010111";
    VfwcvtRtzXuFV  "vfwcvt.rtz.xu.f.v" V        VecUnary      "010010. ..... 01110 001 ..... 1010111";
    VfwcvtRtzXFV   "vfwcvt.rtz.x.f.v"  V        VecUnary      "010010. ..... 01111 001 ..... 1010111";
    VfwcvtFXuV     "vfwcvt.f.xu.v"     V        VecUnary      "010010. ..... 01010 001 ..... 1010111";
    VfwcvtFXV      "vfwcvt.f.x.v"      V        VecUnary      "010010. ..... 01011 001 ..... 1010111";
    VfwcvtFFV      "vfwcvt.f.f.v"      V        VecUnary      "010010. ..... 01100 001 ..... 1010111";
    VfncvtXuFW     "vfncvt.xu.f.w"     V        VecUnary      "010010. ..... 10000 001 ..... 1010111";
    VfncvtXFW      "vfncvt.x.f.w"      V        VecUnary      "010010. ..... 10001 001 ..... 1010111";
    VfncvtRtzXuFW  "vfncvt.rtz.xu.f.w" V        VecUnary      "010010. ..... 10110 001 ..... 1010111";
    VfncvtRtzXFW   "vfncvt.rtz.x.f.w"  V        VecUnary      "010010. ..... 10111 001 ..... 1010111";
    VfncvtFXuW     "vfncvt.f.xu.w"     V        VecUnary      "010010. ..... 10010 001 ..... 1010111";
    VfncvtFXW      "vfncvt.f.x.w"      V        VecUnary      "010010. ..... 10011 001 ..... 1010111";
    VfncvtFFW      "vfncvt.f.f.w"      V        VecUnary      "010010. ..... 10100 001 ..... 1010111";
    VfncvtRodFFW   "vfncvt.rod.f.f.w"  V        VecUnary      "010010. ..... 10101 001 ..... 1010111";

    // Reductions.
    VredsumVs      "vredsum.vs"        V        VecVv         "000000. ..... ..... 010 ..... 1010111";
    VredandVs      "vredand.vs"        V        VecVv         "000001. ..... ..... 010 ..... 1010111";
    VredorVs       "vredor.vs"         V        VecVv         "000010. ..... ..... 010 ..... 1010111";
    VredxorVs      "vredxor.vs"        V        VecVv         "000011. ..... ..... 010 ..... 1010111";
    VredminuVs     "vredminu.vs"       V        VecVv         "000100. ..... ..... 010 ..... 1010111";
    VredminVs      "vredmin.vs"        V        VecVv         "000101. ..... ..... 010 ..... 1010111";
    VredmaxuVs     "vredmaxu.vs"       V        VecVv         "000110. ..... ..... 010 ..... 1010111";
    VredmaxVs      "vredmax.vs"        V        VecVv         "000111. ..... ..... 010 ..... 1010111";
    VwredsumuVs    "vwredsumu.vs"      V        VecVv         "110000. ..... ..... 000 ..... 1010111";
    VwredsumVs     "vwredsum.vs"       V        VecVv         "110001. ..... ..... 000 ..... 1010111";
    VfredusumVs    "vfredusum.vs"      V        VecVv         "000001. ..... ..... 001 ..... 1010111";
    VfredosumVs    "vfredosum.vs"      V        VecVv         "000011. ..... ..... 001 ..... 1010111";
    VfredminVs     "vfredmin.vs"       V        VecVv         "000101. ..... ..... 001 ..... 1010111";
    VfredmaxVs     "vfredmax.vs"       V        VecVv         "000111. ..... ..... 001 ..... 1010111";
    VfwredusumVs   "vfwredusum.vs"     V        VecVv         "110001. ..... ..... 001 ..... 1010111";
    VfwredosumVs   "vfwredosum.vs"     V        VecVv         "110011. ..... ..... 001 ..... 1010111";

    // Masks.
    VmandnMm       "vmandn.mm"         V        VecVv         "0110001 ..... ..... 010 ..... 1010111";
    VmandMm        "vmand.mm"          V        VecVv         "0110011 ..... ..... 010 ..... 1010111";
    VmorMm         "vmor.mm"           V        VecVv         "0110101 ..... ..... 010 ..... 1010111";
    VmxorMm        "vmxor.mm"          V        VecVv         "0110111 ..... ..... 010 ..... 1010111";
    VmornMm        "vmorn.mm"          V        VecVv         "0111001 ..... ..... 010 ..... 1010111";
    VmnandMm       "vmnand.mm"         V        VecVv         "0111011 ..... ..... 010 ..... 1010111";
    VmnorMm        "vmnor.mm"          V        VecVv         "0111101 ..... ..... 010 ..... 1010111";
    VmxnorMm       "vmxnor.mm"         V        VecVv         "0111111 ..... ..... 010 ..... 1010111";
    VcpopM         "vcpop.m"           V        VecToX        "010000. ..... 10000 010 ..... 1010111";
    VfirstM        "vfirst.m"          V        VecToX        "010000. ..... 10001 010 ..... 1010111";
    VmsbfM         "vmsbf.m"           V        VecUnary      "010100. ..... 00001 010 ..... 1010111";
    VmsofM         "vmsof.m"           V        VecUnary      "010100. ..... 00010 010 ..... 1010111";
    VmsifM         "vmsif.m"           V        VecUnary      "010100. ..... 00011 010 ..... 1010111";
    ViotaM         "viota.m"           V        VecUnary      "010100. ..... 10000 010 ..... 1010111";
    VidV           "vid.v"             V        VecId         "010100. 00000 10001 010 ..... 1010111";

    // Permutations.
    VmvXS          "vmv.x.s"           V        VecToX        "0100001 ..... 00000 010 ..... 1010111";
    VmvSX          "vmv.s.x"           V        VecMvX        "0100001 00000 ..... 110 ..... 1010111";
    VfmvFS         "vfmv.f.s"          V        VecToF        "0100001 ..... 00000 001 ..... 1010111";
    VfmvSF         "vfmv.s.f"          V        VecMvF        "0100001 00000 ..... 101 ..... 1010111";
    VslideupVx     "vslideup.vx"       V        VecVx         "001110. ..... ..... 100 ..... 1010111";
    VslideupVi     "vslideup.vi"       V        VecVu         "001110. ..... ..... 011 ..... 1010111";
    VslidedownVx   "vslidedown.vx"     V        VecVx         "001111. ..... ..... 100 ..... 1010111";
    VslidedownVi   "vslidedown.vi"     V        VecVu         "001111. ..... ..... 011 ..... 1010111";
    Vslide1upVx    "vslide1up.vx"      V        VecVx         "001110. ..... ..... 110 ..... 1010111";
    Vslide1downVx  "vslide1down.vx"    V        VecVx         "001111. ..... ..... 110 ..... 1010111";
    Vfslide1upVf   "vfslide1up.vf"     V        VecVf         "001110. ..... ..... 101 ..... 1010111";
    Vfslide1downVf "vfslide1down.vf"   V        VecVf         "001111. ..... ..... 101 ..... 1010111";
    VrgatherVv     "vrgather.vv"       V        VecVv         "001100. ..... ..... 000 ..... 1010111";
    VrgatherVx     "vrgather.vx"       V        VecVx         "001100. ..... ..... 100 ..... 1010111";
    VrgatherVi     "vrgather.vi"       V        VecVu         "001100. ..... ..... 011 ..... 1010111";
    Vrgatherei16Vv "vrgatherei16.vv"   V        VecVv         "001110. ..... ..... 000 ..... 1010111";
    VcompressVm    "vcompress.vm"      V        VecVv         "0101111 ..... ..... 010 ..... 1010111";
    Vmv1rV         "vmv1r.v"           V        VecUnary      "1001111 ..... 00000 011 ..... 1010111";
    Vmv2rV         "vmv2r.v"           V        VecUnary      "1001111 ..... 00001 011 ..... 1010111";
    Vmv4rV         "vmv4r.v"           V        VecUnary      "1001111 ..... 00011 011 ..... 1010111";
    Vmv8rV         "vmv8r.v"           V        VecUnary      "1001111 ..... 00111 011 ..... 1010111";

    // Zvbb, of which Zvkb is a part.
    VandnVv        "vandn.vv"          Zvkb     VecVv         "000001. ..... ..... 000 ..... 1010111";
    VandnVx        "vandn.vx"          Zvkb     VecVx         "000001. ..... ..... 100 ..... 1010111";
    Vbrev8V        "vbrev8.v"          Zvkb     VecUnary      "010010. ..... 01000 010 ..... 1010111";
    Vrev8V         "vrev8.v"           Zvkb     VecUnary      "010010. ..... 01001 010 ..... 1010111";
    VrolVv         "vrol.vv"           Zvkb     VecVv         "010101. ..... ..... 000 ..... 1010111";
    VrolVx         "vrol.vx"           Zvkb     VecVx         "010101. ..... ..... 100 ..... 1010111";
    VrorVv         "vror.vv"           Zvkb     VecVv         "010100. ..... ..... 000 ..... 1010111";
    VrorVx         "vror.vx"           Zvkb     VecVx         "010100. ..... ..... 100 ..... 1010111";
    VrorVi         "vror.vi"           Zvkb     VecVu6        "01010 . . ..... ..... 011 ..... 1010111";
    VbrevV         "vbrev.v"           Zvbb     VecUnary      "010010. ..... 01010 010 ..... 1010111";
    VclzV          "vclz.v"            Zvbb     VecUnary      "010010. ..... 01100 010 ..... 1010111";
    VctzV          "vctz.v"            Zvbb     VecUnary      "010010. ..... 01101 010 ..... 1010111";
    VcpopV         "vcpop.v"           Zvbb     VecUnary      "010010. ..... 01110 010 ..... 1010111";
    VwsllVv        "vwsll.vv"          Zvbb     VecVv         "110101. ..... ..... 000 ..... 1010111";
    VwsllVx        "vwsll.vx"          Zvbb     VecVx         "110101. ..... ..... 100 ..... 1010111";
    VwsllVi        "vwsll.vi"          Zvbb     VecVu         "110101. ..... ..... 011 ..... 1010111";

    // Zvbc.
    VclmulVv       "vclmul.vv"         Zvbc     VecVv         "001100. ..... ..... 010 ..... 1010111";
    VclmulVx       "vclmul.vx"         Zvbc     VecVx         "001100. ..... ..... 110 ..... 1010111";
    VclmulhVv      "vclmulh.vv"        Zvbc     VecVv         "001101. ..... ..... 010 ..... 1010111";
    VclmulhVx      "vclmulh.vx"        Zvbc     VecVx         "001101. ..... ..... 110 ..... 1010111";

    // Zvkg, Zvkned, Zvknha or Zvknhb, Zvksed, Zvksh.
    VghshVv        "vghsh.vv"          Zvkg     VecVv         "1011001 ..... ..... 010 ..... 1110111";
    VgmulVv        "vgmul.vv"          Zvkg     VecUnary      "1010001 ..... 10001 010 ..... 1110111";
    VaesdmVv       "vaesdm.vv"         Zvkned   VecUnary      "1010001 ..... 00000 010 ..... 1110111";
    VaesdmVs       "vaesdm.vs"         Zvkned   VecUnary      "1010011 ..... 00000 010 ..... 1110111";
    VaesdfVv       "vaesdf.vv"         Zvkned   VecUnary      "1010001 ..... 00001 010 ..... 1110111";
    VaesdfVs       "vaesdf.vs"         Zvkned   VecUnary      "1010011 ..... 00001 010 ..... 1110111";
    VaesemVv       "vaesem.vv"         Zvkned   VecUnary      "1010001 ..... 00010 010 ..... 1110111";
    VaesemVs       "vaesem.vs"         Zvkned   VecUnary      "1010011 ..... 00010 010 ..... 1110111";
    VaesefVv       "vaesef.vv"         Zvkned   VecUnary      "1010001 ..... 00011 010 ..... 1110111";
    VaesefVs       "vaesef.vs"         Zvkned   VecUnary      "1010011 ..... 00011 010 ..... 1110111";
    VaeszVs        "vaesz.vs"          Zvkned   VecUnary      "1010011 ..... 00111 010 ..... 1110111";
    Vaeskf1Vi      "vaeskf1.vi"        Zvkned   VecVu         "1000101 ..... ..... 010 ..... 1110111";
    Vaeskf2Vi      "vaeskf2.vi"        Zvkned   VecVu         "1010101 ..... ..... 010 ..... 1110111";
    Vsha2msVv      "vsha2ms.vv"        Zvknha   VecVv         "1011011 ..... ..... 010 ..... 1110111";
    Vsha2chVv      "vsha2ch.vv"        Zvknha   VecVv         "1011101 ..... ..... 010 ..... 1110111";
    Vsha2clVv      "vsha2cl.vv"        Zvknha   VecVv         "1011111 ..... ..... 010 ..... 1110111";
    Vsm4kVi        "vsm4k.vi"          Zvksed   VecVu         "1000011 ..... ..... 010 ..... 1110111";
    Vsm4rVv        "vsm4r.vv"          Zvksed   VecUnary      "1010001 ..... 10000 010 ..... 1110111";
    Vsm4rVs        "vsm4r.vs"          Zvksed   VecUnary      "1010011 ..... 10000 010 ..... 1110111";
    Vsm3meVv       "vsm3me.vv"         Zvksh    VecVv         "1000001 ..... ..... 010 ..... 1110111";
    Vsm3cVi        "vsm3c.vi"          Zvksh    VecVu         "1010111 ..... ..... 010 ..... 1110111";

    // Zvfbfmin and Zvfbfwma.
    Vfwcvtbf16FFV  "vfwcvtbf16.f.f.v"  Zvfbfmin VecUnary      "010010. ..... 01101 001 ..... 1010111";
    Vfncvtbf16FFW  "vfncvtbf16.f.f.w"  Zvfbfmin VecUnary      "010010. ..... 11101 001 ..... 1010111";
    Vfwmaccbf16Vv  "vfwmaccbf16.vv"    Zvfbfwma VecMacVv      "111011. ..... ..... 001 ..... 1010111";
    Vfwmaccbf16Vf  "vfwmaccbf16.vf"    Zvfbfwma VecMacVf      "111011. ..... ..... 101 ..... 1010111";
} } }
pub(crate) use for_each_vector_insn;
