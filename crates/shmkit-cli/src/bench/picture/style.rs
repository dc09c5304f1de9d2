//! Sizes, colours and fonts of the picture.

pub(super) const WIDTH: f64 = 1280.0;
pub(super) const HEIGHT: f64 = 720.0;

/// Each family of mechanisms has a colour, for lines and for their labels.
pub(super) const STYLE: &str = "
text { font: 13px system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif; fill: #222; }
.title { font-size: 24px; font-weight: 600; }
.heading { font-size: 16px; font-weight: 600; }
.note, .tick { fill: #595959; }
.back { fill: #fff; }
.grid { stroke: #e2e2e2; stroke-width: 1; }
.leader { stroke-width: 1; opacity: 0.5; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.point { stroke: none; }
.shmkit .line { stroke-width: 3; }
.asleep .line { stroke-dasharray: 7 4; }
.shmkit text { font-weight: 600; }
.pipe { stroke: #b34700; } .pipe text, .pipe .point { fill: #b34700; }
.socket { stroke: #00755a; } .socket text, .socket .point { fill: #00755a; }
.message-queue { stroke: #a3437b; } .message-queue text, .message-queue .point { fill: #a3437b; }
.shared-memory { stroke: #6b6b6b; } .shared-memory text, .shared-memory .point { fill: #6b6b6b; }
.shmkit { stroke: #0064ad; } .shmkit text, .shmkit .point { fill: #0064ad; }
g text { stroke: none; }
@media (prefers-color-scheme: dark) {
text { fill: #eee; }
.note, .tick { fill: #b5b5b5; }
.back { fill: #16181c; }
.grid { stroke: #34373d; }
.pipe { stroke: #f0a24b; } .pipe text, .pipe .point { fill: #f0a24b; }
.socket { stroke: #3fcfa4; } .socket text, .socket .point { fill: #3fcfa4; }
.message-queue { stroke: #e79dc6; } .message-queue text, .message-queue .point { fill: #e79dc6; }
.shared-memory { stroke: #b0b0b0; } .shared-memory text, .shared-memory .point { fill: #b0b0b0; }
.shmkit { stroke: #67bdf5; } .shmkit text, .shmkit .point { fill: #67bdf5; }
}
";

/// Returns text as the content of an element, or as a value in quotation marks.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
