// An integer divided by a power of two, rounded to a minifloat, saturated, as a code. Part of the output stage
// eq_shift; a pipeline, not a stream of its own.
//
// The step of a result is 1 on the grid of the smallest subnormal, or what leaves MANTISSA + 1 bits of the truncated
// number: so the leading one is looked for first, and eq_round then divides by the step, too. A magnitude of q steps of
// 2^t has the code (t << MANTISSA) + q, whether q is subnormal, normal, or carried into the next exponent.
//
// IN_BITS               width of in_data, two's complement, 2 or more
// SHIFT_MIN, SHIFT_MAX  least and greatest shift to the right; negative: to the left
// EXTRA_BITS            width of in_extra = shift - SHIFT_MIN; $clog2(SHIFT_MAX - SHIFT_MIN + 1), at least 1
// RULE                  as eq_round
// EXPONENT, MANTISSA    bits of the format
// STEP_MAX              log2 of the step of the greatest magnitude
// LO, HI                bounds: codes of magnitudes, LO negative for a number below zero
//
// clk, rst   in   clock; synchronous reset of the valid bits
// enable     in   0: everything stands still
// in_valid, in_data, in_extra     in
// out_valid, out_data             out, registered
// Initiation interval 1.
module eq_minifloat #(
    parameter IN_BITS    = 32,
    parameter SHIFT_MIN  = 0,
    parameter SHIFT_MAX  = 0,
    parameter EXTRA_BITS = 1,
    parameter RULE       = 1,
    parameter EXPONENT   = 2,
    parameter MANTISSA   = 1,
    parameter STEP_MAX   = (1 << EXPONENT) - 2,
    parameter signed [63:0] LO = -((1 << (EXPONENT + MANTISSA)) - 1),
    parameter signed [63:0] HI = (1 << (EXPONENT + MANTISSA)) - 1
) (
    input  wire                           clk,
    input  wire                           rst,
    input  wire                           enable,
    input  wire                           in_valid,
    input  wire signed [IN_BITS-1:0]      in_data,
    input  wire [EXTRA_BITS-1:0]          in_extra,
    output reg                            out_valid,
    output reg  [EXPONENT+MANTISSA:0]     out_data
);
    localparam STAGES = $clog2(IN_BITS + 1);                // binary steps of the search for the leading one
    localparam STEPS = (STAGES + 1) / 2;                    // two of them a clock
    localparam SPREAD = SHIFT_MAX - SHIFT_MIN + STEP_MAX;
    localparam EB = SPREAD > 0 ? $clog2(SPREAD + 1) : 1;
    localparam TB = STEP_MAX > 0 ? $clog2(STEP_MAX + 1) : 1;
    localparam ROUND = 3 + ((SPREAD > 0 ? $clog2(SPREAD + 1) : 0) + 2) / 3;       // latency of eq_round
    localparam QB = MANTISSA + 3;
    localparam CB = EXPONENT + MANTISSA + 3;

    // Magnitudes, then the number of their bits: what is left after each step is looked at in the next.
    reg [IN_BITS-1:0] rest_0, data_0;
    reg [EXTRA_BITS-1:0] extra_0;
    reg valid_0;
    always @(posedge clk) begin
        if (enable) begin
            rest_0 <= in_data[IN_BITS-1] ? -in_data : in_data;
            data_0 <= in_data;
            extra_0 <= in_extra;
            valid_0 <= in_valid;
        end
        if (rst) valid_0 <= 1'b0;
    end
    wire [IN_BITS-1:0] rest [0:STEPS], data [0:STEPS];
    wire [EXTRA_BITS-1:0] extra [0:STEPS];
    wire [STAGES-1:0] length [0:STEPS];
    wire [STEPS:0] valid;
    assign rest[0] = rest_0;
    assign data[0] = data_0;
    assign extra[0] = extra_0;
    assign length[0] = {STAGES{1'b0}};
    assign valid[0] = valid_0;
    genvar g;
    generate
        for (g = 0; g < STEPS; g = g + 1) begin : g_search
            reg [IN_BITS-1:0] r, r_r, data_r;
            reg [STAGES-1:0] l, l_r;
            reg [EXTRA_BITS-1:0] extra_r;
            reg valid_r;
            integer k;
            always @* begin
                r = rest[g];
                l = length[g];
                for (k = STAGES - 1 - 2 * g; k > STAGES - 3 - 2 * g && k >= 0; k = k - 1)
                    if (|(r >> (1 << k))) begin
                        r = r >> (1 << k);
                        l[k] = 1'b1;
                    end
            end
            always @(posedge clk) begin
                if (enable) begin
                    r_r <= r;
                    l_r <= l;
                    data_r <= data[g];
                    extra_r <= extra[g];
                    valid_r <= valid[g];
                end
                if (rst) valid_r <= 1'b0;
            end
            assign rest[g+1] = r_r;
            assign length[g+1] = l_r;
            assign data[g+1] = data_r;
            assign extra[g+1] = extra_r;
            assign valid[g+1] = valid_r;
        end
    endgenerate

    // The search ends with the place of the leading one: a number of n bits has it at n - 1, and its step is
    // 2^(n - 1 - MANTISSA - shift) where that is more than 1.
    wire signed [11:0] place = {{(12 - STAGES){1'b0}}, length[STEPS]};
    wire signed [11:0] shift = $signed({{(12 - EXTRA_BITS){1'b0}}, extra[STEPS]}) + SHIFT_MIN;
    wire signed [11:0] wanted = place - shift - MANTISSA;
    wire [TB-1:0] chosen = wanted <= 0 ? {TB{1'b0}} : wanted > STEP_MAX ? STEP_MAX[TB-1:0] : wanted[TB-1:0];
    reg [IN_BITS-1:0] number;
    reg [EB-1:0] total;
    reg [TB-1:0] step;
    reg ready;
    always @(posedge clk) begin
        if (enable) begin
            number <= data[STEPS];
            total <= extra[STEPS] + chosen;
            step <= chosen;
            ready <= valid[STEPS];
        end
        if (rst) ready <= 1'b0;
    end

    wire rounded;
    wire signed [QB-1:0] q;
    eq_round #(.IN_BITS(IN_BITS), .SHIFT_MIN(SHIFT_MIN), .SHIFT_MAX(SHIFT_MAX + STEP_MAX), .EXTRA_BITS(EB), .RULE(RULE),
               .LO(-(1 << (MANTISSA + 1))), .HI(1 << (MANTISSA + 1)), .ZERO(0), .OUT_BITS(QB))
    rounding (
        .clk(clk), .rst(rst), .enable(enable), .in_valid(ready), .in_data(number), .in_extra(total),
        .out_valid(rounded), .out_data(q));

    // The step goes along.
    reg [ROUND*TB-1:0] steps;
    wire [(ROUND+1)*TB-1:0] moved = {steps, step};
    always @(posedge clk) if (enable) steps <= moved[ROUND*TB-1:0];
    wire [CB-1:0] base = {{(CB - TB){1'b0}}, steps[ROUND*TB-1 -: TB]} << MANTISSA;
    wire signed [CB-1:0] wide = {{(CB - QB){q[QB-1]}}, q};
    // A shift to the left gives zero a step.
    wire signed [CB-1:0] code = q == 0 ? {CB{1'b0}} : q < 0 ? wide - $signed(base) : wide + $signed(base);
    wire signed [CB-1:0] bounded = code < LO ? LO[CB-1:0] : code > HI ? HI[CB-1:0] : code;
    wire [CB-1:0] magnitude = bounded < 0 ? -bounded : bounded;
    wire unused = &{1'b0, rest[STEPS], magnitude};
    always @(posedge clk) begin
        if (enable) begin
            out_data <= {bounded < 0, magnitude[EXPONENT+MANTISSA-1:0]};
            out_valid <= rounded;
        end
        if (rst) out_valid <= 1'b0;
    end
endmodule
