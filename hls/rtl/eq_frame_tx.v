// Sender of the host link's frames (docs/fpga-protocol.md): one reply, header to CRC-32, as bytes.
//
// Replies: 81 identity (16 bytes: protocol version, IN_BITS, OUT_BITS, 0, IN_BEATS, OUT_BEATS, ID, each 4 bytes),
// 82 result (the codes of the output, 1, 2 or 4 bytes each, upper bits 0), 83 status (1 byte). All little-endian.
//
// Parameters
//   IN_BITS, IN_BEATS, OUT_BITS, OUT_BEATS, ID   as of eq_uart_host
// Ports
//   clk, rst    rst is synchronous, active high: stops
//   start       in, one cycle: begins a reply, also in the middle of another one (which then ends without a CRC)
//   kind        in, 1 identity, 2 result, 3 status; with start
//   sequence_number, status  in, with start
//   s_data      in, code of an output element; s_valid in; s_ready out (depends on t_ready)
//   t_data      out, byte for the line, t_valid out, t_ready in; a byte of a result may wait for its code
//   busy        out, high from start until the last byte is handed over
// Latency: 1 cycle to the first byte. At most one byte in 9 cycles.
module eq_frame_tx #(
    parameter IN_BITS = 8,
    parameter IN_BEATS = 64,
    parameter OUT_BITS = 8,
    parameter OUT_BEATS = 10,
    parameter [31:0] ID = 32'd0
) (
    input                 clk,
    input                 rst,
    input                 start,
    input  [1:0]          kind,
    input  [7:0]          sequence_number,
    input  [2:0]          status,
    input  [OUT_BITS-1:0] s_data,
    input                 s_valid,
    output                s_ready,
    output reg [7:0]      t_data,
    output                t_valid,
    input                 t_ready,
    output                busy
);
    localparam [1:0] IDENTITY = 2'd1, RESULT = 2'd2;
    localparam [7:0] VERSION = 8'd1;
    localparam WIDTH = OUT_BITS <= 8 ? 1 : OUT_BITS <= 16 ? 2 : 4;  // bytes of a code
    localparam [31:0] LENGTH = OUT_BEATS * WIDTH;
    localparam COUNT_BITS = LENGTH > 16 ? $clog2(LENGTH) : 4;
    localparam [1:0] IDLE = 2'd0, HEAD = 2'd1, BODY = 2'd2, TAIL = 2'd3;

    reg [1:0]            state = IDLE;
    reg [COUNT_BITS-1:0] count;
    reg [1:0]            reply;
    reg [7:0]            number;
    reg [2:0]            fault;

    wire       crc_busy;
    wire [7:0] crc_byte;
    wire       is_result = reply == RESULT;
    wire       sent = t_valid && t_ready;
    wire       covered = state == BODY || (state == HEAD && count[2:1] != 0);
    eq_crc32 check (
        .clk(clk), .clear(start), .s_data(t_data), .s_valid(sent && covered), .next(sent && state == TAIL),
        .busy(crc_busy), .value(crc_byte), .good()
    );

    wire [31:0] length = is_result ? LENGTH : reply == IDENTITY ? 32'd16 : 32'd1;
    wire [31:0] in_count = IN_BEATS, out_count = OUT_BEATS;
    wire [7:0]  in_bits = IN_BITS, out_bits = OUT_BITS;
    wire [127:0] facts = {ID, out_count, in_count, 8'd0, out_bits, in_bits, VERSION};
    wire [31:0] code = {{(32 - OUT_BITS) {1'b0}}, s_data};
    wire [1:0]  part = count[1:0] & (WIDTH - 1);
    always @* begin
        case (state)
            HEAD:
            case (count[2:0])
                3'd0: t_data = 8'ha5;
                3'd1: t_data = 8'h5e;
                3'd2: t_data = {6'b100000, reply};
                3'd3: t_data = number;
                default: t_data = length[8*count[1:0]+:8];
            endcase
            BODY: t_data = is_result ? code[8*part+:8] : reply == IDENTITY ? facts[8*count[3:0]+:8] : {5'd0, fault};
            default: t_data = crc_byte;
        endcase
    end

    wire [COUNT_BITS-1:0] last_of_body = is_result ? LENGTH - 1 : reply == IDENTITY ? 15 : 0;
    wire waits = is_result && !s_valid && state == BODY;
    assign t_valid = state != IDLE && !crc_busy && !waits;
    assign s_ready = state == BODY && is_result && !crc_busy && t_ready && part == WIDTH - 1;
    assign busy = state != IDLE;

    always @(posedge clk) begin
        if (sent) begin
            count <= count + 1'b1;
            case (state)
                HEAD: if (count[2:0] == 3'd7) begin
                    count <= 0;
                    state <= BODY;
                end
                BODY: if (count == last_of_body) begin
                    count <= 0;
                    state <= TAIL;
                end
                default: if (count[1:0] == 2'd3) state <= IDLE;
            endcase
        end
        if (start) begin
            state  <= HEAD;
            count  <= 0;
            reply  <= kind;
            number <= sequence_number;
            fault  <= status;
        end
        if (rst) state <= IDLE;
    end
endmodule
