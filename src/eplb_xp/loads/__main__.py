"""``python -m eplb_xp.loads``: the presets, their claims and what is measured, as a table in Markdown."""

from eplb_xp.loads import PRESETS, generate, statistics

if __name__ == "__main__":
    print("| preset | layers x experts, top-k | busiest / mean | coefficient of variation | step correlation |")
    print("|---|---|---|---|---|")
    for name, preset in PRESETS.items():
        busiest, variation, correlation = statistics(generate(preset, steps=preset.round_steps))
        sizes = f"{preset.layers} x {preset.experts}, {preset.top_k}"
        print(f"| `{name}` | {sizes} | {busiest:.1f} | {variation:.2f} | {correlation:.3f} |")
