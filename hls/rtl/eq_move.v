// eq_move: a small tensor in another order: padded, cut, transposed, repeated. A frame buffer and a table of addresses.
//
// BITS        width of what moves (an element, or several lanes of one beat)
// IN_BEATS    beats of the tensor that comes in
// OUT_BEATS   beats of the tensor that goes out
// ADDRESSES   file of OUT_BEATS words of $clog2(IN_BEATS + 1) bits: which beat stands there; IN_BEATS: the code FILL
// FILL        code of padding
// ROM, RAM    "auto", "block", "distributed"
//
// clk, rst    in   clock; synchronous reset: the buffers are empty
// s_*         in   IN_BEATS beats a frame; s_ready is a flip-flop
// m_*         out  OUT_BEATS beats a frame, registered
// Two buffers: one frame comes in while the one before goes out. Initiation interval max(IN_BEATS, OUT_BEATS) + 2 a frame,
// latency 4 cycles after a frame's last beat.
module eq_move #(
    parameter BITS      = 8,
    parameter IN_BEATS  = 16,
    parameter OUT_BEATS = 16,
    parameter ADDRESSES = "",
    parameter FILL      = 0,
    parameter ROM       = "auto",
    parameter RAM       = "auto"
) (
    input  wire            clk,
    input  wire            rst,
    input  wire [BITS-1:0] s_data,
    input  wire            s_valid,
    output reg             s_ready,
    output wire [BITS-1:0] m_data,
    output wire            m_valid,
    input  wire            m_ready
);
    localparam AB = $clog2(IN_BEATS + 1);               // an address or IN_BEATS
    localparam IB = IN_BEATS > 1 ? $clog2(IN_BEATS) : 1, OB = OUT_BEATS > 1 ? $clog2(OUT_BEATS) : 1;
    localparam [AB-1:0] OUTSIDE = IN_BEATS[AB-1:0];
    localparam [BITS+31:0] CODE = FILL;      // as wide as BITS at least

    // Writer and reader each have the half that their turn names; a half is full between its last write and last read.
    wire take = s_valid && s_ready;
    wire credit, in_last, out_last;
    wire [IB-1:0] in_index;
    wire [OB-1:0] out_index;
    reg in_half, out_half;
    reg [1:0] full;
    wire read = full[out_half] && credit;
    eq_counter #(.N(IN_BEATS)) written (.clk(clk), .rst(rst), .advance(take), .value(in_index), .last(in_last));
    eq_counter #(.N(OUT_BEATS)) sent (.clk(clk), .rst(rst), .advance(read), .value(out_index), .last(out_last));
    reg [1:0] full_next;
    always @* begin
        full_next = full;
        if (take && in_last) full_next[in_half] = 1'b1;
        if (read && out_last) full_next[out_half] = 1'b0;
    end
    wire half_next = in_half ^ (take && in_last);
    always @(posedge clk) begin
        full <= rst ? 2'b00 : full_next;
        in_half <= !rst && half_next;
        out_half <= !rst && (out_half ^ (read && out_last));
        s_ready <= !rst && !full_next[half_next];
    end

    // Read: address ROM, buffer, FIFO. The half travels with the address.
    wire [AB-1:0] address;
    wire [BITS-1:0] data;
    reg half_1, outside_2;
    reg [1:0] valid;
    eq_rom #(.WIDTH(AB), .DEPTH(OUT_BEATS), .FILE(ADDRESSES), .STYLE(ROM)) rom (
        .clk(clk), .address(out_index), .data(address));
    eq_ram #(.WIDTH(BITS), .DEPTH(2 << IB), .STYLE(RAM)) buffer (
        .clk(clk), .write(take), .write_address({in_half, in_index}), .write_data(s_data),
        .read(1'b1), .read_address({half_1, address[IB-1:0]}), .read_data(data));
    always @(posedge clk) begin
        half_1 <= out_half;
        outside_2 <= address == OUTSIDE;
        valid <= rst ? 2'b00 : {valid[0], read};
    end

    wire fifo_ready;                                    // credits: always
    wire unused = &{1'b0, fifo_ready, CODE, address};
    eq_credit #(.ROOM(6)) credits (.clk(clk), .rst(rst), .take(read), .give(m_valid && m_ready), .ready(credit));
    eq_fifo #(.WIDTH(BITS), .DEPTH(6)) fifo (
        .clk(clk), .rst(rst), .s_data(outside_2 ? CODE[BITS-1:0] : data), .s_valid(valid[1]), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
