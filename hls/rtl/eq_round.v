// eq_round: an integer divided by a power of two, rounded by a rule, saturated, clamped, as a code. Part of the
// output stages eq_shift, eq_scale, eq_average_pool; a pipeline, not a stream of its own.
//
// out_data = clamp(round(in_data / 2^(SHIFT_MIN + in_extra)), LO, HI) + ZERO
//
// IN_BITS               width of in_data, two's complement, 2 or more
// SHIFT_MIN, SHIFT_MAX  least and greatest shift to the right; negative: to the left. What all shifts share is wires;
//                       their differences are a barrel shifter
// EXTRA_BITS            width of in_extra = shift - SHIFT_MIN; $clog2(SHIFT_MAX - SHIFT_MIN + 1), at least 1
// RULE                  0 half_up, 1 half_even, 2 floor, 4 half_away, 5 half_down, 6 half_to_zero, 7 to_zero
//                       (docs/arithmetic.md)
// LO, HI                bounds of the rounded grid integer, signed
// ZERO, OUT_BITS        added after the clamp; width of the code
// OVERFLOW              what becomes of a number beyond the bounds: 0 the bound, 1 zero, 2 its lowest OUT_BITS bits
//                       (1 and 2: ZERO is 0)
// CLAMP                 OVERFLOW 1 and 2: bit 0: LO clamps all the same, bit 1: HI does
//
// Rounding is decided by three facts: the floor q, the bit below it (guard), whether anything lies below that
// (sticky). q is narrowed to the few bits that the bounds need before it is rounded, so the carry chains are short.
//
// clk, rst   in   clock; synchronous reset of the valid bits
// enable     in   0: everything stands still
// in_valid, in_data, in_extra     in
// out_valid, out_data             out, registered
// Latency 3 + ceil(bits of SHIFT_MAX - SHIFT_MIN / 3), initiation interval 1, whatever RULE and OVERFLOW.
module eq_round #(
    parameter IN_BITS    = 32,
    parameter SHIFT_MIN  = 0,
    parameter SHIFT_MAX  = 0,
    parameter EXTRA_BITS = 1,
    parameter RULE       = 0,
    parameter signed [63:0] LO   = -128,
    parameter signed [63:0] HI   = 127,
    parameter signed [63:0] ZERO = 0,
    parameter OUT_BITS   = 8,
    parameter OVERFLOW   = 0,
    parameter CLAMP      = 0
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      enable,
    input  wire                      in_valid,
    input  wire signed [IN_BITS-1:0] in_data,
    input  wire [EXTRA_BITS-1:0]     in_extra,
    output reg                       out_valid,
    output reg  [OUT_BITS-1:0]       out_data
);
    // Bits of the two's complement of v.
    function integer signed_bits(input signed [63:0] v);
        integer n;
        begin
            signed_bits = 1;
            for (n = 1; n < 62; n = n + 1)
                if (v >= (64'sd1 <<< (n - 1)) || v < -(64'sd1 <<< (n - 1))) signed_bits = n + 1;
        end
    endfunction
    function integer greater(input integer a, input integer b);
        greater = a > b ? a : b;
    endfunction

    localparam STAGES = SHIFT_MAX > SHIFT_MIN ? $clog2(SHIFT_MAX - SHIFT_MIN + 1) : 0;
    localparam STEPS = (STAGES + 2) / 3;                              // registers within the barrel shifter
    // What the constant part of the shift leaves: the guard is bit 0.
    localparam WIDE = SHIFT_MIN > 0 ? greater(IN_BITS, SHIFT_MIN + 2) : IN_BITS;
    localparam TB = WIDE - SHIFT_MIN + 1;
    localparam QB = greater(signed_bits(LO - 1), signed_bits(HI + 1)); // q saturated to these stays beyond the bounds
    localparam RB = greater(greater(QB, signed_bits(ZERO)) + 2, OUT_BITS);
    localparam signed [63:0] LEAST = LO + ZERO, MOST = HI + ZERO;

    wire signed [WIDE-1:0] wide = {{(WIDE - IN_BITS + 1){in_data[IN_BITS-1]}}, in_data[IN_BITS-2:0]};
    wire [TB-1:0] start;
    wire below;
    generate
        if (SHIFT_MIN > 0) begin : g_right
            assign start = wide[WIDE-1:SHIFT_MIN-1];
            if (SHIFT_MIN > 1) begin : g_sticky
                assign below = |wide[SHIFT_MIN-2:0];
            end else begin : g_no_sticky
                assign below = 1'b0;
            end
        end else begin : g_left
            assign start = {wide, {(1 - SHIFT_MIN){1'b0}}};
            assign below = 1'b0;
        end
    endgenerate

    // The barrel shifter, three binary stages a clock.
    wire signed [TB-1:0] shifted [0:STEPS];
    wire [STEPS:0] sticky, valid;
    wire [EXTRA_BITS-1:0] extra [0:STEPS];
    assign shifted[0] = start;
    assign sticky[0] = below;
    assign valid[0] = in_valid;
    assign extra[0] = in_extra;
    genvar g;
    generate
        for (g = 0; g < STEPS; g = g + 1) begin : g_step
            reg signed [TB-1:0] t, t_r;
            reg s, s_r, v_r;
            reg [EXTRA_BITS-1:0] e_r;
            integer k;
            always @* begin
                t = shifted[g];
                s = sticky[g];
                for (k = 3 * g; k < 3 * g + 3 && k < STAGES; k = k + 1)
                    if (extra[g][k]) begin
                        s = s | |(t & ~({TB{1'b1}} << (1 << k)));
                        t = t >>> (1 << k);
                    end
            end
            always @(posedge clk) begin
                if (enable) begin
                    t_r <= t;
                    s_r <= s;
                    e_r <= extra[g];
                    v_r <= valid[g];
                end
                if (rst) v_r <= 1'b0;
            end
            assign shifted[g+1] = t_r;
            assign sticky[g+1] = s_r;
            assign extra[g+1] = e_r;
            assign valid[g+1] = v_r;
        end
    endgenerate

    wire [TB-1:0] last = shifted[STEPS];
    wire negative = last[TB-1], guard = last[0];
    wire odd = last[1];
    wire round_up = RULE == 0 ? guard
                  : RULE == 1 ? guard && (sticky[STEPS] || odd)
                  : RULE == 4 ? guard && (sticky[STEPS] || !negative)
                  : RULE == 5 ? guard && sticky[STEPS]
                  : RULE == 6 ? guard && (sticky[STEPS] || negative)
                  : RULE == 7 ? negative && (guard || sticky[STEPS])
                  : 1'b0;
    reg signed [QB-1:0] q;
    reg up, v_q;
    generate
        if (TB - 1 > QB) begin : g_narrow
            wire beyond = last[TB-1:QB] != {(TB - QB){negative}};
            always @(posedge clk) if (enable) begin
                q <= beyond ? {negative, {(QB - 1){!negative}}} : last[QB:1];
                up <= round_up && !beyond;
            end
        end else begin : g_extend
            always @(posedge clk) if (enable) begin
                q <= {{(QB - TB + 2){negative}}, last[TB-2:1]};
                up <= round_up;
            end
        end
    endgenerate

    // q + ZERO + up in one carry chain: up enters below the lowest bit.
    localparam signed [RB-1:0] ADDED = ZERO[RB-1:0];
    localparam signed [RB-1:0] LEAST_R = LEAST[RB-1:0], MOST_R = MOST[RB-1:0];
    wire [RB:0] sum = {{(RB - QB){q[QB-1]}}, q, 1'b1} + {ADDED, up};
    reg signed [RB-1:0] r;
    reg v_r;
    wire [RB-1:0] beyond_code;                          // OVERFLOW 1, 2: in place of a number beyond the bounds
    generate
        if (OVERFLOW == 2) begin : g_wrap
            // The lowest bits, beside those that the bounds need: both paths have the same registers.
            wire [TB+RB-1:0] extended = {{RB{negative}}, last};
            reg [RB-1:0] low, wrapped;
            reg low_up;
            always @(posedge clk) if (enable) begin
                low <= extended[RB:1];
                low_up <= round_up;
                wrapped <= low + {{(RB - 1){1'b0}}, low_up};
            end
            assign beyond_code = wrapped;
        end else begin : g_zero
            assign beyond_code = {RB{1'b0}};
        end
    endgenerate
    localparam KEEP_LO = OVERFLOW == 0 || (CLAMP & 1) != 0, KEEP_HI = OVERFLOW == 0 || (CLAMP & 2) != 0;
    wire [RB-1:0] bounded = r < LEAST_R ? (KEEP_LO ? LEAST_R : beyond_code)
                          : r > MOST_R ? (KEEP_HI ? MOST_R : beyond_code) : r;
    always @(posedge clk) begin
        if (enable) begin
            r <= sum[RB:1];
            out_data <= bounded[OUT_BITS-1:0];
            v_q <= valid[STEPS];
            v_r <= v_q;
            out_valid <= v_r;
        end
        if (rst) {v_q, v_r, out_valid} <= 3'd0;
    end
endmodule
