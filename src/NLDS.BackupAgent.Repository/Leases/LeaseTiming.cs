namespace NLDS.BackupAgent.Repository.Leases;

/// <summary>How a lease keeps time. No two machines' clocks are ever compared: each measures durations on its own.</summary>
/// <remarks>
/// Why two never write at once: a beat counts from the moment at which its put began, and only when that was answered within <see cref="BeatTimeout"/>. So the
/// holder has stopped <see cref="Validity"/> after the beginning of its last beat, and a beat that still counts is in the store before
/// <see cref="Validity"/> + <see cref="BeatTimeout"/>, which is less than <see cref="Lapse"/>. Another takes over when it has itself seen the beat unchanged for
/// <see cref="Lapse"/>, which began no earlier than that beat.
/// </remarks>
internal sealed record LeaseTiming
{
    public static LeaseTiming Default { get; } = new();

    /// <summary>Two cheap requests to the store each time, a put and a listing of a few keys.</summary>
    public TimeSpan Beat { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>After a beat that failed.</summary>
    public TimeSpan BeatAgain { get; init; } = TimeSpan.FromSeconds(1);

    public TimeSpan BeatTimeout { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>So long after a beat the holder may write; one beat may fail.</summary>
    public TimeSpan Validity { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>A holder whose beat does not change for so long is gone.</summary>
    public TimeSpan Lapse { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often somebody who waits for the lease looks.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>A look at the epochs counts for this long: one listing a second is enough, however many segments are sealed.</summary>
    public TimeSpan Fresh { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A writer whose lease could not be renewed waits this long for the store to come back, as long as the store's own retries do. What a dead server sent last
    /// may exist in this process only.
    /// </summary>
    public TimeSpan RenewalPatience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Where the store cannot refuse a replacement, the last of several writers of one name has it; that is seen after this time.</summary>
    public TimeSpan Settling { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The last word of a holder that ends in order; a store that does not answer must not hold up the end.</summary>
    public TimeSpan Farewell { get; init; } = TimeSpan.FromSeconds(2);
}
